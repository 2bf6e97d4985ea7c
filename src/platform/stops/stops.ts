import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import type { Db } from '../db/index.ts';
import type { Log } from '../log.ts';
import type { RedisConnection } from '../redis.ts';
import { createHeard } from './heard.ts';
import type { Journal, Told } from './journal.ts';
import { createPostgresJournal } from './postgres.ts';
import { createRedisJournal } from './redis.ts';

export interface Stops {
  /**
   * Says in the open transaction that what was remembered under these names is to be forgotten. It is written as the
   * last thing before the commit; a transaction that rolls back has only made others look again.
   */
  mark(...names: string[]): void;
  /**
   * One round trip, shared by all that ask in one turn of the event loop. Afterwards {@link mayUse} knows of everything
   * that was stopped before this was called, by whichever process.
   * Where it fails nothing remembered may be used until it is heard again, which is tried by itself; nobody waits for that.
   * @param keys of fleeting values to read in the same round trip
   * @throws Refusal `store.unavailable` when the values cannot be read, or there are none and nothing can be heard
   */
  catchUp(keys?: readonly string[]): Promise<(string | undefined)[]>;
  /** Whether what was loaded then under these names may be used, as far as the last {@link catchUp} knows. */
  mayUse(loadedAt: number, names: readonly string[]): boolean;
  /** Changes whenever something was heard of: what began to load under another may be older than that. */
  version(): number;
  /** How it does: for figures. */
  figures(): { stops: number; restarts: number; names: number };
  tidy(): Promise<void>;
}

/** Milliseconds for which a process believes the fast journal without having looked at the durable one. */
const leaseMilliseconds = 2_000;
/** The fast journal did not answer in time: for so long nobody waits for it again while holding up other stops. */
const restMilliseconds = 5_000;
/** Out of reach, it is asked for again by itself: nobody else waits for a store that hangs. */
const retryMilliseconds = 1_000;
/** Heads this process has followed up; an answer that was overtaken names an older one. */
const mostHeads = 10_000;

/**
 * Every stop is an entry in the journal in PostgreSQL, written by the transaction that stops. With Redis the entry also
 * stands there before the commit, so that one read brings token and newest entry together.
 *
 * ```
 *   stop:  rows change ─▶ entry in PostgreSQL ─▶ entry in Redis ─▶ commit ─▶ "over" in Redis
 *                                                 └─ not told ─▶ commit ─▶ wait out the lease
 *   use:   read head (+ token) ─▶ known? ──▶ what is remembered is good, but for what was loaded before a stop was over
 *                               └─ new ────▶ read the entries
 *                               └─ gone ───▶ forget everything, wait for stops under way, begin anew
 * ```
 *
 * Between a stop's entry and its end a name is asked for in PostgreSQL each time and not remembered: the transaction may
 * not have committed yet. The head's row is locked from entry to commit, so there is only one such stop at a time.
 */
export function createStops(options: { db: Db; redis?: RedisConnection | undefined; clock: Clock; log: Log }): Stops {
  const { db, redis, clock, log } = options;
  const durable = createPostgresJournal({ db, clock });
  const fast = redis && createRedisJournal({ redis, clock, installation: durable.installation });
  const asked: Journal = fast ?? durable;

  const onNobodysBehalf = AsyncLocalStorage.snapshot();
  const heard = createHeard();
  const pending = new WeakMap<object, Set<string>>();
  let followed = new Set<string>();
  let known: string | undefined;
  let durableKnown: string | undefined;
  /** When what is remembered began to be worth anything; nothing is while the journal is out of reach. */
  let goodSince = Number.POSITIVE_INFINITY;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let restUntil = 0;
  let following: Promise<void> | undefined;
  let version = 0;
  /** Why nothing can be heard; until it can, only the timer asks. */
  let lost: Error | undefined;
  const count = { stops: 0, restarts: 0 };

  const write = async (names: readonly string[]) => {
    const n = await durable.write(names);
    if (!fast) return;
    try {
      if (performance.now() < restUntil) throw new Error('did not answer a moment ago');
      await fast.tell(n, names);
      // Who does not hear of it waits until the next look at the durable journal.
      db.afterCommit(() => void fast.tell(n, []).catch(() => {}));
    } catch (error) {
      restUntil = performance.now() + restMilliseconds;
      log.warn({ err: error }, 'a stop could not be told in Redis; it is waited for until all have looked elsewhere');
      db.afterCommit(() => wait(leaseMilliseconds));
    }
  };

  const isBlank = () => goodSince === Number.POSITIVE_INFINITY;

  const hear = (told: readonly Told[]) => {
    if (told.length > 0) version++;
    for (const entry of told) {
      heard.add(entry);
      count.stops += entry.names.length;
    }
  };

  /** Begins anew. Who is between entry and commit may have told a journal that is gone, so those are waited for. */
  const restart = async () => {
    goodSince = Number.POSITIVE_INFINITY;
    version++;
    const at = performance.now();
    const head = await asked.begin();
    const durableHead = await durable.begin();
    if (fast) await durable.barrier();
    followed = new Set([head]);
    known = head;
    durableKnown = durableHead;
    lookedAt = at;
    goodSince = performance.now();
    count.restarts++;
  };

  const follow = async () => {
    const since = known === undefined || isBlank() ? undefined : await asked.since(known);
    if (!since) return restart();
    hear(since);
    known = since.at(-1)?.head ?? known;
    for (const { head } of since) followed.add(head);
    while (followed.size > mostHeads) followed.delete(followed.values().next().value!);
  };

  /** Looks whether Redis kept all it was told: after a failover it may have lost the newest. */
  const lookElsewhere = async () => {
    const at = performance.now();
    const since = durableKnown === undefined ? undefined : await durable.since(durableKnown);
    if (!since) await restart();
    else {
      hear(since);
      durableKnown = since.at(-1)?.head ?? durableKnown;
    }
    lookedAt = at;
  };

  /** One at a time: they build on what the one before found. Where one waited in vain, nobody behind it does so again. */
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const mine = (following ?? Promise.resolve()).then(work);
    following = mine;
    const done = () => {
      if (following === mine) following = undefined;
    };
    mine.then(done, done);
    return mine;
  };

  const isBehind = (head: string | undefined) => isBlank() || head === undefined || !followed.has(head);
  const hasLease = () => !fast || performance.now() - lookedAt < leaseMilliseconds;

  const keepUp = async (head: string | undefined) => {
    // One that is under way may have read before this head was written; whichever begins now has not.
    if (isBehind(head) && following) await following;
    if (isBehind(head)) await inTurn(async () => void (isBehind(head) && (await follow())));
    if (!hasLease()) await inTurn(async () => void (hasLease() || (await lookElsewhere())));
  };

  const lose = (error: Error) => {
    goodSince = Number.POSITIVE_INFINITY;
    version++;
    if (!lost) {
      log.warn({ err: error }, 'what was stopped cannot be told; nothing is answered from memory');
      setTimeout(findAgain, retryMilliseconds).unref();
    }
    lost = error;
  };

  /** Of whoever lost it, who may have been in a transaction, nothing is left by then. */
  const findAgain = () => onNobodysBehalf(find);

  const find = async () => {
    try {
      const { head } = await asked.read([]);
      await keepUp(head);
      lost = undefined;
    } catch (error) {
      lose(error as Error);
      setTimeout(findAgain, retryMilliseconds).unref();
    }
  };

  return {
    mark(...names) {
      const transaction = db.transaction();
      const marked = pending.get(transaction);
      if (marked) {
        for (const name of names) marked.add(name);
        return;
      }
      const all = new Set(names);
      db.beforeCommit(() => write([...all]));
      pending.set(transaction, all);
    },

    async catchUp(keys = []) {
      if (lost && keys.length === 0) throw lost;
      const { head, values } = await asked.read(keys).catch((error) => {
        lose(error);
        throw error;
      });
      // What was read is true; what is remembered may not be, so everybody asks the database.
      if (!lost) await keepUp(head).catch(lose);
      return values;
    },

    mayUse: (loadedAt, names) => !lost && loadedAt >= goodSince && heard.mayUse(loadedAt, names),
    figures: () => ({ ...count, names: heard.size() }),
    version: () => version,
    tidy: durable.tidy,
  };
}
