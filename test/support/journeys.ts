import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { UserState } from '../../src/users/index.ts';
import { credentialsRoom, type SentLetter } from './credentials.ts';

// What the tests of the journeys (to register, to reset, to change a password) share. `room`, `ip` and `email` are those
// of the test that runs.

export let room: Awaited<ReturnType<typeof credentialsRoom>>;
export let ip: string;
export let email: string;

export const password = 'ember lantern quietly';
/** The one that takes its place. */
export const next = 'seven doors of amber';

/** Sets up a room for the tests of a file, and somebody new for each of them. */
export function stageJourneys(): void {
  let seed = 0;
  beforeAll(async () => {
    room = await credentialsRoom();
  });
  afterAll(() => room.stop());
  beforeEach(() => {
    seed += 1;
    ip = `198.51.${seed >> 8}.${seed & 255}`;
    email = `Person${seed}@Example.com`;
    room.letters.length = 0;
    room.ended.length = 0;
  });
}

/** Somebody else, in the middle of a test. */
export const becomeAnother = (): void => {
  email = `other-${email}`;
};

/** Who asks, from where. */
export const asker = () => ({ ip, locale: 'en' });
export const register = (over: object = {}) => room.registration.register({ ...asker(), email, password, ...over });
/** The newest letter of the name. */
export const letter = (name: SentLetter['letter']) => {
  const found = room.letters.filter((one) => one.letter === name).at(-1);
  if (!found) throw new Error(`no letter ${name} among ${room.letters.map((one) => one.letter)}`);
  return found;
};
/** Somebody whose address this is, with the password, in that state. */
export const person = async (state: UserState = 'Active', over: object = {}) => {
  const user = await room.users.create(
    { email, state: 'Active', emailVerified: true, ...over },
    { actor: { kind: 'system' } },
  );
  await room.passwords.set(user.id, password);
  if (state === 'PasswordResetRequired')
    await room.users.change(user.id, 'requirePasswordReset', { actor: { kind: 'system' } });
  if (state === 'Suspended') await room.users.change(user.id, 'suspend', { actor: { kind: 'system' } });
  room.ended.length = 0;
  return user;
};
export const stateOf = async (id: string) => (await room.users.byId(id))?.state;
/** What the journal says of somebody, newest first. */
export const told = async (subject: string) => (await room.events.history({ subject })).map(({ type }) => type);
/** How many rows a table has. */
export const rows = async (table: string) =>
  Number((await room.db.query<{ n: string }>(`select count(*) n from ${table}`))[0]!.n);
