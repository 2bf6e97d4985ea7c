import { z } from 'zod';
import { type AuditRecord, asToldToOwner, type EventType } from '../../events/index.ts';
import { Refusal } from '../../platform/index.ts';
import type { Caller } from '../bearer.ts';
import { createCursors } from '../cursors.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId, id, moment, pageOf, paging, text } from '../schemas.ts';

const section = 'Sessions and history';

const happening = z
  .strictObject({
    id: id(),
    type: z.string(),
    at: moment(),
    actor: z.strictObject({ kind: z.string(), id: z.string().optional() }),
    client: z.string().nullable(),
    ip: z.string().nullable(),
    user_agent: z.string().nullable(),
    reason: z.string().nullable(),
    data: z.json().nullable(),
  })
  .meta({ id: 'Happening' });

const show = (record: AuditRecord) => ({
  id: record.id,
  type: record.type,
  at: record.at.toISOString(),
  actor: { kind: record.actor.kind, ...(record.actor.id !== undefined && { id: record.actor.id }) },
  client: record.client ?? null,
  ip: record.ip ?? null,
  user_agent: record.userAgent ?? null,
  reason: record.reason ?? null,
  data: (record.data ?? null) as z.core.util.JSONType,
});

const query = z.strictObject({ type: text(100).optional().describe('As signin.succeeded'), ...paging });

/** What happened with an account, from the journal, newest first. */
export function historyRoutes(ports: ApiPorts): Route[] {
  const { events, users } = ports;
  const cursors = createCursors(ports);
  const read = async (
    subject: string,
    { type, limit, cursor }: z.output<typeof query>,
    caller: Caller,
    show: (record: AuditRecord) => z.output<typeof happening>,
  ) => {
    const pages = cursors(caller, ['audit', subject, type ?? null]);
    const before = pages.after<string>(cursor);
    const records = await events.history({
      subject,
      limit: limit + 1,
      mayLag: true,
      ...(type !== undefined && { type: type as EventType }),
      ...(before !== undefined && { before }),
    });
    return { body: pages.page(records, limit, show, ({ id }) => id) };
  };

  return [
    route({
      method: 'GET',
      path: '/users/me/audit',
      ...{ section, summary: 'Read your history', scopes: ['account.read'] },
      details: 'Who did it is named when it was you; others are told by their kind alone, and not from where.',
      query,
      answer: pageOf(happening),
      refusals: ['cursor.invalid'],
      handle: ({ query, caller }) =>
        read(caller.accountId!, query, caller, (record) => show(asToldToOwner(record, caller.accountId!))),
    }),
    route({
      method: 'GET',
      path: '/users/{id}/audit',
      ...{ section, summary: 'Read the history of a person', scopes: ['users.read'] },
      params: byId,
      query,
      answer: pageOf(happening),
      refusals: ['user.unknown', 'cursor.invalid'],
      async handle({ params, query, caller }) {
        if (!(await users.byId(params.id))) throw new Refusal('user.unknown', { kind: 'missing' });
        return read(params.id, query, caller, show);
      },
    }),
  ];
}
