import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import { Refusal } from '../../platform/index.ts';
import { type By, emailKey, type Given, mayWrite, type User } from '../../users/index.ts';
import type { Caller } from '../bearer.ts';
import { checked, invalid } from '../checks.ts';
import type { ApiPorts } from '../ports.ts';
import { asOf, checkAttributes } from './attributes.ts';
import { etagOfPerson, ownWritable, show, wholeOf, writable, writeClaims } from './person.ts';
import { demandMayTouch } from './person-guards.ts';

type Body = Record<string, unknown>;
type Written = Parameters<typeof writeClaims>[1];
type How = 'replace' | 'patch';

/** Reads one person, writes what a body says of them, and answers with them. */
export function createWriting(ports: ApiPorts) {
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

  /** The custom fields that the body writes, checked. */
  const attributesOf = async (user: User, body: Body, how: How, given: Given) => {
    const named = body.attributes as Body | undefined;
    const values = how === 'replace' ? await replacing(user, named ?? {}, given) : named;
    return checkAttributes(fields, values, { ...given, whole: how === 'replace' });
  };

  /** Changes the locked row, if it is still as the caller saw it. */
  const write = async (
    asked: { caller: Caller; by: By; demandMatch(version: number): void },
    id: string,
    own: boolean,
    body: Body,
    how: How,
  ) => {
    const { caller, by } = asked;
    const before = await found(id);
    asked.demandMatch(before.version);
    const formerly = before.isEmailVerified() ? before.email : undefined;
    const shape = own ? ownWritable : writable;
    if (how === 'replace') demandAsIs(show(before), body, shape);
    const given = { ...asOf(caller, own), at: own ? ('profile' as const) : ('api' as const) };
    const attributes = await attributesOf(before, body, how, given);
    return db.transact(async () => {
      let changedAddress = false;
      const user = await users.update(id, by, (user) => {
        asked.demandMatch(user.version);
        if (!own) demandMayTouch(caller, user);
        const written = how === 'replace' ? wholeOf(shape, body) : withWholeAddress(user, body);
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

  return { found, reply, write };
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
const withWholeAddress = (user: User, body: Body): Body =>
  body.address
    ? { ...body, address: checked(writable.address, merged(user.profile.address ?? {}, body.address as Body), 'body') }
    : body;
