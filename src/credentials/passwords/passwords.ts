import { randomBytes } from 'node:crypto';
import type { Db } from '../../platform/db/index.ts';
import { type Clock, type Log, Refusal, type Vault } from '../../platform/index.ts';
import { createForeignHashes, isForeign, type TakenOver, takeOver } from './foreign-hashes.ts';
import { createForeignKeys, type ForeignKeys } from './foreign-keys.ts';
import { type Cost, createHashing, type HashingLoad } from './hashing.ts';
import { isOutdated, phcOf } from './phc.ts';

/** OWASP's first choice for argon2id: 19 MiB, two passes, one lane; about 10 ms. */
export const defaultCost: Cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** A password hashed and ready to be stored; made before a transaction opens, since the making takes long. */
export interface Prepared {
  readonly hash: string;
}

export interface Passwords {
  /** Hashes. @throws Refusal `credential.busy` (unavailable), `password.too_long` (invalid) */
  prepare(password: string): Promise<Prepared>;
  /** Stores in the open transaction, in place of any other. */
  store(userId: string, prepared: Prepared): Promise<void>;
  /** {@link prepare} and {@link store}, for when no transaction is open. */
  set(userId: string, password: string): Promise<void>;
  /**
   * Whether this is the person's password. Without a person (an unknown address), and for a person without a
   * password, the same statement and the same hashing are done and the answer is no.
   * A right password whose hash was made with other parameters or by another system is hashed anew.
   */
  check(userId: string | undefined, password: string): Promise<boolean>;
  /** {@link check}, with when the password that was looked at had been set. */
  look(userId: string | undefined, password: string): Promise<{ right: boolean; since: Date | undefined }>;
  has(userId: string): Promise<boolean>;
  /** When the present password was set. */
  changedAt(userId: string): Promise<Date | undefined>;
  remove(userId: string): Promise<void>;
  /**
   * Makes a hash from elsewhere ready to be stored: argon2, bcrypt, PBKDF2, scrypt, phpass, crypt, LDAP's and the forms
   * that products give them (`foreign/registry.ts`).
   * @throws Refusal `password.hash_unusable`, `password.hash_too_dear` (invalid)
   */
  takeOver(hash: string): TakenOver;
  /** {@link takeOver} and {@link store}. */
  importHash(userId: string, hash: string): Promise<void>;
  /** What the hashes of some systems take beside the password. */
  keys: ForeignKeys;
  hashingLoad(): HashingLoad;
  close(): Promise<void>;
}

/** Longest text that is looked at. A password of 256 code points is shorter, however it is encoded. */
const mostUnits = 1024;
const nobody = '00000000-0000-0000-0000-000000000000';

/**
 * One spelling for what looks the same: NFKC, as NIST SP 800-63B asks of verifiers, so that a password typed on
 * another keyboard or system still matches. (Nothing is trimmed or folded: case and spaces count.)
 */
export const normalisePassword = (password: string): string => password.slice(0, mostUnits).normalize('NFKC');

/**
 * @param options.settings.cost argon2id's parameters
 * @param options.settings.threads hashing threads, default one a core
 * @param options.settings.queue most that wait for a thread
 * @param options.hashingWaited called with the seconds each hash waited for its thread
 */
export function createPasswords(options: {
  db: Db;
  clock: Clock;
  log: Log;
  vault: Vault;
  settings?: { cost?: Cost; threads?: number; queue?: number };
  hashingWaited?: ((seconds: number) => void) | undefined;
}): Passwords {
  const { db, clock, log, vault, settings = {}, hashingWaited } = options;
  const cost = settings.cost ?? defaultCost;
  const hashing = createHashing({ ...settings, waited: hashingWaited });
  const keys = createForeignKeys({ db, clock, vault });
  const foreign = createForeignHashes({ db, clock, log, hashing, keys });
  /**
   * What a password is checked against when there is none. It takes as long as any other and fits no password that
   * could be found, as nothing was hashed for it: so that no thread is started before somebody signs in.
   */
  const decoy = phcOf(cost, randomBytes(16), randomBytes(32));

  const stored = async (userId: string): Promise<{ hash: string; changedAt: Date } | undefined> => {
    const [row] = await db.query<{ hash: string; changed_at: string }>(
      'select hash, changed_at from password where user_id = $1',
      [userId],
      'password-read',
    );
    return row && { hash: row.hash, changedAt: new Date(row.changed_at) };
  };

  /** Other systems hash what was typed, as it was typed; whoever typed it otherwise composed is let in as well. */
  const verify = async (hash: string, spelled: string, typed: string): Promise<boolean> => {
    const attempt = (password: string) =>
      isForeign(hash) || isOutdated(hash, cost) ? foreign.verify(hash, password) : hashing.verify(hash, password);
    return (await attempt(spelled)) || (typed !== spelled && (await attempt(typed)));
  };

  const rehash = async (userId: string, password: string, old: string): Promise<void> => {
    try {
      const fresh = await hashing.hash(password, cost);
      // Only in place of what was checked: the password may have been changed meanwhile.
      await db.query('update password set hash = $1 where user_id = $2 and hash = $3', [fresh, userId, old]);
    } catch (error) {
      log.warn({ err: error, userId }, 'a password could not be hashed anew: left for the next sign-in');
    }
  };

  const passwords: Passwords = {
    async prepare(password) {
      if (password.length > mostUnits) throw new Refusal('password.too_long', { kind: 'invalid' });
      return { hash: await hashing.hash(normalisePassword(password), cost) };
    },

    async store(userId, { hash }) {
      await db.query(
        `insert into password (user_id, hash, changed_at) values ($1, $2, $3)
         on conflict (user_id) do update set hash = excluded.hash, changed_at = excluded.changed_at`,
        [userId, hash, clock.now()],
      );
    },

    async set(userId, password) {
      await passwords.store(userId, await passwords.prepare(password));
    },

    async look(userId, password) {
      const began = performance.now();
      const { hash, changedAt: since } = (await stored(userId ?? nobody)) ?? {};
      const spelled = normalisePassword(password);
      const matches = await verify(hash ?? decoy, spelled, password.slice(0, mostUnits));
      // What was cut off must not have been what made it wrong.
      if (!matches || hash === undefined || userId === undefined || password.length > mostUnits) {
        await foreign.even(began);
        return { right: false, since };
      }
      if (isOutdated(hash, cost)) await rehash(userId, spelled, hash);
      return { right: true, since };
    },

    check: async (userId, password) => (await passwords.look(userId, password)).right,
    has: async (userId) => (await stored(userId)) !== undefined,
    changedAt: async (userId) => (await stored(userId))?.changedAt,

    async remove(userId) {
      await db.query('delete from password where user_id = $1', [userId]);
    },

    takeOver,
    async importHash(userId, hash) {
      await passwords.store(userId, takeOver(hash));
    },
    keys,

    hashingLoad: () => hashing.load(),
    close: () => hashing.close(),
  };
  return passwords;
}
