import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { Refusal } from '../../platform/index.ts';
import { type By, emailKey, type Given, mayWrite, type Transition, type User } from '../../users/index.ts';
import type { Caller } from '../bearer.ts';
import { checked, invalid } from '../checks.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId, text } from '../schemas.ts';
import { asOf, checkAttributes } from './attributes.ts';
import { etagOfPerson, ownWritable, person, show, wholeOf, writable, writeClaims } from './person.ts';

const section = 'People';

/** Members that answers have and requests may repeat, so that what was read can be sent back. */
const readOnly = (shape: z.ZodRawShape) =>
  Object.fromEntries(
    Object.keys(person.shape)
      .filter((name) => !(name in shape))
      .map((name) => [name, z.json().optional().meta({ readOnly: true })]),
  );

const patched = { address: z.record(z.string(), z.string().nullable()).nullish() };

const bodies = {
  whole: z.strictObject({ ...writable, ...readOnly(writable) }).meta({ id: 'PersonReplacement' }),
  change: z.strictObject({ ...writable, ...patched }).meta({ id: 'PersonChange' }),
  ownWhole: z.strictObject({ ...ownWritable, ...readOnly(ownWritable) }).meta({ id: 'OwnReplacement' }),
  ownChange: z.strictObject({ ...ownWritable, ...patched }).meta({ id: 'OwnChange' }),
};

type Body = Record<string, unknown>;
type Written = Parameters<typeof writeClaims>[1];

/** People one by one: read, changed, stopped and let go on. */
export function peopleRoutes(ports: ApiPorts): Route[] {
  const { users, events, emailChanges, fields, db, clock } = ports;

  const found = async (id: string): Promise<User> => {
    const user = await users.byId(id);
    if (!user) throw new Refusal('user.unknown', { kind: 'missing' });
    return user;
  };
  const reply = async (user: User, caller: Caller, own: boolean) => ({
    body: show(user, await fields.visible(user.attributes ?? {}, asOf(caller, own))),
    etag: etagOfPerson(user),
  });

  /** Changes the locked row, if it is still as the caller saw it. */
  const write = async (
    asked: { caller: Caller; by: By; demandMatch(version: number): void },
    id: string,
    own: boolean,
    body: Body,
    how: 'replace' | 'patch',
  ) => {
    const { caller, by } = asked;
    const before = await found(id);
    asked.demandMatch(before.version);
    const formerly = before.isEmailVerified() ? before.email : undefined;
    const shape = own ? ownWritable : writable;
    if (how === 'replace') demandAsIs(show(before), body, shape);
    const given = { ...asOf(caller, own), at: own ? ('profile' as const) : ('api' as const) };
    const named = body.attributes as Body | undefined;
    const values = how === 'replace' ? await replacing(before, named ?? {}, given) : named;
    const attributes = await checkAttributes(fields, values, { ...given, whole: how === 'replace' });
    return db.transact(async () => {
      let changedAddress = false;
      const user = await users.update(id, by, (user) => {
        asked.demandMatch(user.version);
        if (!own) demandMayTouch(caller, user);
        const { attributes: _, ...rest } = how === 'replace' ? wholeOf(shape, body) : body;
        const written = rest as Written & { address?: Body | null };
        if (how === 'patch' && written.address)
          written.address = mergedAddress(user.profile.address, written.address) as never;
        if (!own) changedAddress = writeAddress(user, written, clock.now());
        writeClaims(user, written);
        if (attributes) user.attributes = merged(user.attributes ?? {}, attributes);
      });
      if (changedAddress) {
        await events.record({ type: 'user.email_changed', ...by, subject: id });
        // Whoever read the letters there until now must hear of it, and can take it back.
        if (formerly && !user.isStopped()) await emailChanges.tellFormer({ user, before: formerly, locale: 'en' });
      }
      return reply(user, caller, own);
    });
  };

  /** With what is not named taken away, as far as the caller sees and may write it. */
  const replacing = async (user: User, named: Body, given: Given): Promise<Body> => {
    const values: Body = { ...named };
    for (const name of Object.keys(await fields.visible(user.attributes ?? {}, given))) {
      const field = await fields.find(name);
      if (!(name in named) && field && mayWrite(field, given)) values[name] = null;
      else if (field && !mayWrite(field, given) && isDeepStrictEqual(named[name], user.attributes[name]))
        delete values[name];
    }
    return values;
  };

  const change = (id: string, transition: Transition, caller: Caller, by: By) =>
    db.transact(async () => {
      await demandMayStop(ports, id, transition, caller);
      return reply(await users.change(id, transition, by), caller, false);
    });

  const reason = z.strictObject({ reason: text(500).optional() }).optional();
  const move = (word: string, transition: Transition, summary: string, details?: string) =>
    route({
      method: 'POST',
      path: `/users/{id}/${word}`,
      ...{ section, summary },
      ...(details && { details }),
      scopes: ['users.write'],
      params: byId,
      body: reason,
      answer: person,
      refusals: ['user.unknown', 'user.transition_not_permitted', 'user.last_administrator', 'caller.not_permitted'],
      handle: async ({ params, body, caller, by }) =>
        change(params.id, transition, caller, { ...by, reason: body?.reason }),
    });

  const shared = ['user.unknown', 'user.email_taken', 'user.user_name_taken', 'caller.not_permitted'] as const;
  return [
    route({
      method: 'GET',
      path: '/users/me',
      ...{ section, summary: 'Read yourself', scopes: ['account.read'] },
      answer: person,
      handle: async ({ caller }) => reply(await found(caller.accountId!), caller, true),
    }),
    route({
      method: 'PUT',
      path: '/users/me',
      ...{ section, summary: 'Replace yourself', scopes: ['account.write'] },
      details: 'What is not named is taken away. Members that cannot be changed here may be repeated as they are.',
      body: bodies.ownWhole,
      answer: person,
      ifMatch: 'required',
      handle: async ({ body, caller, ...asked }) =>
        write({ caller, ...asked }, caller.accountId!, true, body as Body, 'replace'),
    }),
    route({
      method: 'PATCH',
      path: '/users/me',
      ...{ section, summary: 'Change yourself', scopes: ['account.write'] },
      body: bodies.ownChange,
      answer: person,
      ifMatch: 'honoured',
      handle: async ({ body, caller, ...asked }) =>
        write({ caller, ...asked }, caller.accountId!, true, body as Body, 'patch'),
    }),
    route({
      method: 'GET',
      path: '/users/{id}',
      ...{ section, summary: 'Read a person', scopes: ['users.read'] },
      params: byId,
      answer: person,
      refusals: ['user.unknown'],
      handle: async ({ params, caller }) => reply(await found(params.id), caller, false),
    }),
    route({
      method: 'PUT',
      path: '/users/{id}',
      ...{ section, summary: 'Replace a person', scopes: ['users.write'] },
      details: 'What is not named is taken away. Members that cannot be changed here may be repeated as they are.',
      params: byId,
      body: bodies.whole,
      answer: person,
      ifMatch: 'required',
      refusals: shared,
      handle: async ({ params, body, ...asked }) => write(asked, params.id, false, body as Body, 'replace'),
    }),
    route({
      method: 'PATCH',
      path: '/users/{id}',
      ...{ section, summary: 'Change a person', scopes: ['users.write'] },
      params: byId,
      body: bodies.change,
      answer: person,
      ifMatch: 'honoured',
      refusals: shared,
      handle: async ({ params, body, ...asked }) => write(asked, params.id, false, body as Body, 'patch'),
    }),
    route({
      method: 'DELETE',
      path: '/users/{id}',
      ...{ section, summary: 'Delete a person', scopes: ['users.write'], dangerous: true },
      details: 'Ends all they hold. The account can be recovered; its address is free for others.',
      params: byId,
      ifMatch: 'honoured',
      refusals: ['user.unknown', 'user.transition_not_permitted', 'user.last_administrator', 'caller.not_permitted'],
      async handle({ params, caller, by, demandMatch }) {
        await db.transact(async () => {
          await demandMayStop(ports, params.id, 'remove', caller);
          await users.change(params.id, 'remove', by);
          demandMatch((await found(params.id)).version - 1);
        });
        return {};
      },
    }),
    move('recover', 'recover', 'Recover a deleted person'),
    move('suspend', 'suspend', 'Suspend a person', 'Ends all sessions, grants and tokens at once.'),
    move('reactivate', 'reactivate', 'Let a person go on', 'Back to the state before the stop.'),
    move('deactivate', 'deactivate', 'Retire a person', 'Ends all sessions, grants and tokens at once.'),
    move('activate', 'activate', 'Activate a person', 'Without a proof of their address.'),
    move('require-password-reset', 'requirePasswordReset', 'Require a new password of a person'),
  ];
}

/** Services do not touch administrators: whoever steals a service's secret would become one. */
export function demandMayTouch(caller: Caller, user: Pick<User, 'administrator'>): void {
  if (user.administrator && caller.accountId === undefined) {
    throw new Refusal('caller.not_permitted', { kind: 'forbidden' });
  }
}

const stops: readonly Transition[] = ['suspend', 'deactivate', 'remove', 'requirePasswordReset'];

/** Nobody stops the last administrator: there would be no way back but the command line. In the open transaction. */
export async function demandMayStop(
  { db, users }: Pick<ApiPorts, 'db' | 'users'>,
  id: string,
  transition: Transition,
  caller: Caller,
): Promise<void> {
  const user = await users.byId(id);
  if (!user?.administrator) return;
  demandMayTouch(caller, user);
  if (!stops.includes(transition) || user.state !== 'Active') return;
  await db.lock('administrators');
  const others = await db.query(
    `select 1 from user_account where administrator and state = 'Active' and id <> $1 limit 1`,
    [id],
  );
  if (others.length === 0) throw new Refusal('user.last_administrator', { kind: 'conflict' });
}

/** @throws Refusal `request.invalid` for a member that cannot be changed and says something else than is so */
function demandAsIs(now: Body, body: Body, shape: z.ZodRawShape): void {
  const other = Object.keys(body).filter((name) => !(name in shape) && !isDeepStrictEqual(body[name], now[name]));
  if (other.length === 0) return;
  throw invalid(
    other.map((name) => ({ pointer: `/${name}`, code: 'read_only', detail: 'This cannot be changed here' })),
  );
}

/** @returns whether the address is another one now */
function writeAddress(user: User, written: Written, at: Date): boolean {
  const { email, email_verified: verified, user_name: userName, external_id: externalId } = written;
  let isOther = false;
  if (email === null) {
    isOther = user.email != null;
    user.email = user.emailKey = user.emailVerifiedAt = null;
  } else if (email !== undefined && (user.email == null || emailKey(email) !== user.emailKey)) {
    user.changeEmail(email, { at }, { verified: verified ?? false });
    isOther = true;
  } else if (verified !== undefined && user.email != null && verified !== user.isEmailVerified()) {
    user.emailVerifiedAt = verified ? at : null;
  }
  if (userName !== undefined) user.changeUserName(userName);
  if (externalId !== undefined) user.externalId = externalId;
  if (user.email == null && user.userName == null) {
    throw invalid([{ pointer: '/email', code: 'missing', detail: 'An address or a user name is needed' }]);
  }
  return isOther;
}

const merged = (values: Body, changes: Body): Body =>
  Object.fromEntries(Object.entries({ ...values, ...changes }).filter(([, value]) => value !== null));

/** RFC 7396, one level down. */
const mergedAddress = (address: Body | undefined, patch: Body): Body =>
  checked(writable.address, merged(address ?? {}, patch), 'body') as Body;
