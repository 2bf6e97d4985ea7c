import { setTimeout as sleep } from 'node:timers/promises';
import type { Db } from '../platform/db/index.ts';
import { type Clock, type Log, Refusal, randomToken, secondsAfter } from '../platform/index.ts';
import { readForeign, unwrapped } from './foreign/registry.ts';
import type { ForeignKeys } from './foreign-keys.ts';
import type { Hashing } from './hashing.ts';
import { assertUsable, readPhc } from './phc.ts';

/** What is made of an imported hash before it may be stored. */
export interface TakenOver {
  readonly hash: string;
  /** Kind and cost, such as `bcrypt:12`. */
  readonly form: string;
  readonly keyId?: string | undefined;
}

/**
 * Whether a hash from elsewhere can be taken over: one that is understood and not too dear to verify.
 * @throws Refusal `password.hash_unusable` (not understood), `password.hash_too_dear` (both invalid)
 */
export function takeOver(hash: string): TakenOver {
  const text = unwrapped(hash);
  const phc = readPhc(text);
  if (phc) {
    assertUsable(text);
    return { hash: text, form: `argon2${phc.variant}` };
  }
  const foreign = readForeign(text);
  if (!foreign) throw new Refusal('password.hash_unusable', { kind: 'invalid' });
  if (foreign.dear > 1)
    throw new Refusal('password.hash_too_dear', { kind: 'invalid', details: { form: foreign.form } });
  return { hash: text, form: foreign.form, keyId: foreign.keyId };
}

export const isForeign = (hash: string): boolean => !hash.startsWith('$argon2');

/** How often it is looked what hashes of other systems there still are. */
const lookSeconds = 600;

/**
 * Verifies hashes of other systems, and evens out what that tells: they take from nothing (LDAP) to a second (bcrypt),
 * and an account that has one would stand out from those that have not and from those that do not exist. While there are
 * any, every "no" takes a whole number of times as long as the dearest of them that was seen, by waiting. What waits costs
 * nothing; a "yes" need not be hidden.
 */
export function createForeignHashes(options: {
  db: Db;
  clock: Clock;
  log: Log;
  hashing: Pick<Hashing, 'verifyForeign'>;
  keys: ForeignKeys;
}) {
  const { db, clock, log, hashing, keys } = options;
  /** Milliseconds; 0 while there are none. */
  let dearest = 0;
  let looked: Date | undefined;
  let looking: Promise<void> | undefined;

  const measured = async (hash: string, password: string): Promise<{ matches: boolean; took: number }> => {
    const foreign = readForeign(hash);
    // Never computed, whatever way it came into the table.
    if (!foreign || foreign.dear > 1) return { matches: false, took: 0 };
    const key = foreign.keyId === undefined ? undefined : await keys.find(foreign.keyId);
    return hashing.verifyForeign(hash, password, key);
  };

  /** A few of those there are, tried with nobody's password. */
  const look = async () => {
    const rows = await db.query<{ hash: string }>(
      `(select hash from password where hash not like '$argon2%' order by user_id limit 2) union all
       (select hash from password where hash not like '$argon2%' order by user_id desc limit 2)`,
    );
    let most = 0;
    for (const { hash } of rows) most = Math.max(most, (await measured(hash, randomToken())).took);
    dearest = most;
  };

  const refresh = (): Promise<void> | undefined => {
    if (looked && clock.now() < secondsAfter(looked, lookSeconds)) return undefined;
    looked = clock.now();
    looking ??= look()
      .catch((error: unknown) => log.debug({ err: error }, 'no look at the hashes of other systems'))
      .finally(() => {
        looking = undefined;
      });
    return looking;
  };

  return {
    async verify(hash: string, password: string): Promise<boolean> {
      const { matches, took } = await measured(hash, password);
      dearest = Math.max(dearest, took);
      return matches;
    },
    /** Waits until a "no" that was worked on since `since` (of `performance.now()`) may be told. */
    async even(since: number): Promise<void> {
      const first = looked === undefined;
      const look = refresh();
      if (first) await look;
      if (dearest === 0) return;
      // A little more than the dearest took, so that it falls into the first slot itself.
      const slot = dearest * 1.25;
      const spent = performance.now() - since;
      await sleep(Math.ceil(spent / slot) * slot - spent);
    },
  };
}
