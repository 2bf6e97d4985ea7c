import { z } from 'zod';
import { Refusal, sha256 } from '../../platform/index.ts';
import type { SessionRecord } from '../../sessions/index.ts';
import type { By } from '../../users/index.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId, moment } from '../schemas.ts';

const section = 'Sessions and history';

const session = z
  .strictObject({
    id: z.string(),
    created_at: moment(),
    seen_at: moment(),
    expires_at: moment(),
    authenticated_at: moment(),
    acr: z.string().nullable(),
    methods: z.array(z.string()).describe('How the person proved who they are (RFC 8176)'),
    ip: z.string().nullable(),
    user_agent: z.string().nullable(),
    clients: z.array(z.string()).describe('Applications they signed in to'),
  })
  .meta({ id: 'Session' });

/** A session is named by a hash of its id: who holds the id need not prove anything else to some parts of the house. */
const nameOf = (uid: string): string => sha256(uid).slice(0, 22);

const show = (record: SessionRecord) => ({
  id: nameOf(record.uid),
  created_at: record.createdAt.toISOString(),
  seen_at: record.seenAt.toISOString(),
  expires_at: record.expiresAt.toISOString(),
  authenticated_at: record.authTime.toISOString(),
  acr: record.acr ?? null,
  methods: record.amr ?? [],
  ip: record.ip ?? null,
  user_agent: record.userAgent ?? null,
  clients: Object.keys(record.authorizations),
});

const list = z.strictObject({ items: z.array(session) });
const one = z.strictObject({ session: z.string().min(1).max(100) });

/** Where somebody is signed in: a person's own, and anybody's. */
export function sessionRoutes({ sessions, rememberedDevices, users, events, db }: ApiPorts): Route[] {
  const listOf = async (id: string) => {
    if (!(await users.byId(id))) throw new Refusal('user.unknown', { kind: 'missing' });
    return { body: { items: (await sessions.listOf(id)).map(show) } };
  };
  const end = async (id: string, name: string, by: By) => {
    const ended = (await sessions.listOf(id)).find(({ uid }) => nameOf(uid) === name);
    if (!ended) throw new Refusal('session.unknown', { kind: 'missing' });
    await db.transact(async () => {
      await sessions.endSession(ended.uid, 'api.signed_out');
      const data = { session: name, why: 'api.signed_out' };
      await events.record({ type: 'session.ended', ...by, subject: id, data });
    });
    return {};
  };
  const endAll = async (id: string, by: By) => {
    if (!(await users.byId(id))) throw new Refusal('user.unknown', { kind: 'missing' });
    await db.transact(async () => {
      await sessions.endAllOf(id, 'api.signed_out');
      // A device left behind somewhere is as good as one signed in there.
      await rememberedDevices.forgetAll(id);
      await events.record({ type: 'session.all_ended', ...by, subject: id, data: { why: 'api.signed_out' } });
    });
    return {};
  };

  return [
    route({
      method: 'GET',
      path: '/users/me/sessions',
      ...{ section, summary: 'List your sessions', scopes: ['account.read'] },
      answer: list,
      handle: ({ caller }) => listOf(caller.accountId!),
    }),
    route({
      method: 'DELETE',
      path: '/users/me/sessions/{session}',
      ...{ section, summary: 'End a session of yours', scopes: ['account.write'] },
      params: one,
      refusals: ['session.unknown'],
      handle: ({ params, caller, by }) => end(caller.accountId!, params.session, by),
    }),
    route({
      method: 'DELETE',
      path: '/users/me/sessions',
      ...{ section, summary: 'End all your sessions', scopes: ['account.write'] },
      details: 'And all that applications were granted, this token included. Remembered devices are forgotten.',
      handle: ({ caller, by }) => endAll(caller.accountId!, by),
    }),
    route({
      method: 'GET',
      path: '/users/{id}/sessions',
      ...{ section, summary: 'List the sessions of a person', scopes: ['users.read'] },
      params: byId,
      answer: list,
      refusals: ['user.unknown'],
      handle: ({ params }) => listOf(params.id),
    }),
    route({
      method: 'DELETE',
      path: '/users/{id}/sessions/{session}',
      ...{ section, summary: 'End a session of a person', scopes: ['users.write'] },
      params: byId.extend(one.shape),
      refusals: ['session.unknown'],
      handle: ({ params, by }) => end(params.id, params.session, by),
    }),
    route({
      method: 'DELETE',
      path: '/users/{id}/sessions',
      ...{ section, summary: 'End all sessions of a person', scopes: ['users.write'] },
      details: 'And all that applications were granted. Remembered devices are forgotten.',
      params: byId,
      refusals: ['user.unknown'],
      handle: ({ params, by }) => endAll(params.id, by),
    }),
  ];
}
