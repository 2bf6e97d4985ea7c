import { setTimeout as sleep } from 'node:timers/promises';
import type { Db } from '../../platform/db/index.ts';
import { type Clock, type Log, Refusal, randomToken, secondsAfter } from '../../platform/index.ts';
import { readForeign, unwrapped } from './foreign/registry.ts';
import type { ForeignKeys } from './foreign-keys.ts';
import type { Hashing } from './hashing.ts';
import { dearness, readPhc, usable } from './phc.ts';

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
    return { hash: usable(text), form: `argon2${phc.variant}` };
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
/** How many of the oldest and of the newest accounts are looked at: whole imports are made of one kind. */
const looked = 500;

/** What is known of a hash's cost without computing it; 0 for what is never computed. */
function estimate(hash: string): number {
  const phc = readPhc(hash);
  const dear = phc ? dearness(phc) : (readForeign(hash)?.dear ?? 0);
  return dear > 1 ? 0 : dear;
}

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
  hashing: Pick<Hashing, 'verifyForeign' | 'verifyTimed'>;
  keys: ForeignKeys;
}) {
  const { db, clock, log, hashing, keys } = options;
  /** Milliseconds; 0 while there are none. */
  let dearest = 0;
  let last: Date | undefined;
  let looking: Promise<void> | undefined;

  const measured = async (hash: string, password: string): Promise<{ matches: boolean; took: number }> => {
    if (!isForeign(hash)) return hashing.verifyTimed(hash, password);
    const foreign = readForeign(hash);
    // Never computed, whatever way it came into the table.
    if (!foreign || foreign.dear > 1) return { matches: false, took: 0 };
    const key = foreign.keyId === undefined ? undefined : await keys.find(foreign.keyId);
    return hashing.verifyForeign(hash, password, key);
  };

  /** The two that look dearest, tried with nobody's password. argon2 at another cost than is usual here is one of them. */
  const look = async () => {
    const others = `select hash from password where hash not like '$argon2id$v=19$m=19456,t=2,p=1$%'`;
    const rows = await db.query<{ hash: string }>(
      `(${others} order by user_id limit ${looked}) union all (${others} order by user_id desc limit ${looked})`,
    );
    const dear = rows.map(({ hash }) => ({ hash, dear: estimate(hash) })).filter((one) => one.dear > 0);
    let most = 0;
    for (const { hash } of dear.toSorted((a, b) => b.dear - a.dear).slice(0, 2)) {
      most = Math.max(most, (await measured(hash, randomToken())).took);
    }
    // One that was met and not looked at may be met again; a slow moment is forgotten.
    dearest = rows.length === 0 ? 0 : Math.max(most, dearest / 2);
  };

  const refresh = (): Promise<void> | undefined => {
    if (last && clock.now() < secondsAfter(last, lookSeconds)) return undefined;
    last = clock.now();
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
      const first = last === undefined;
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
