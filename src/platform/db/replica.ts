import { setTimeout as sleep } from 'node:timers/promises';
import { Pool, type PoolConfig } from 'pg';
import type { Log } from '../log.ts';
import { isTracing } from '../spans.ts';
import { traceStatements } from './traced.ts';

export interface ReplicaSettings {
  url: string;
  /** Seconds. One that is further behind is not asked. */
  mostLag: number;
}

/** How a replica is, as last looked at. */
export interface ReplicaState {
  /** Whether it is asked now. */
  usable: boolean;
  /** Seconds it is behind at most; undefined while it does not say. */
  lag: number | undefined;
}

export interface Replica {
  readonly state: ReplicaState;
  /** @returns undefined when it cannot be asked, or did not answer */
  query<Row>(sql: string, params: readonly unknown[]): Promise<Row[] | undefined>;
  close(): Promise<void>;
}

/** A place in the log of the primary, and when (on this machine's steady clock, milliseconds) the log had come so far. */
interface Mark {
  position: bigint;
  at: number;
}

/** Milliseconds between two looks; a replica of which nothing was heard for three of them is not asked. */
const every = 1_000;
/** More places than these need not be remembered: whoever is so far behind is not asked anyway. */
const mostMarks = 400;

/**
 * A streaming replica. How far it is behind is found by noting where the primary's log ended, and when the replica has
 * replayed it to there: that needs no writes and no clock of theirs, and holds when the replica has lost the primary, of which
 * its own time of the last replay says nothing.
 *
 * @param deps.primary whose replica it should be
 * @param deps.options of the pool, as the primary's
 */
export async function createReplica(deps: {
  settings: ReplicaSettings;
  primary: Pool;
  options: PoolConfig;
  log: Log;
}): Promise<Replica> {
  const { settings, primary, log } = deps;
  const pool = new Pool({ ...deps.options, connectionString: settings.url });
  pool.on('error', () => {});
  if (isTracing()) traceStatements(pool);

  let marks: Mark[] = [];
  /** All that was committed until then has been replayed. */
  let caughtUpAt = Number.NEGATIVE_INFINITY;
  let heardAt = Number.NEGATIVE_INFINITY;
  let system: string | undefined;

  const look = async () => {
    const { rows: theirs } = await primary.query(
      'select pg_current_wal_lsn()::text as position, system_identifier::text as system from pg_control_system()',
    );
    const mark = { position: positionOf(theirs[0].position), at: performance.now() };
    if (marks.length < mostMarks) marks.push(mark);
    const { rows } = await pool.query(
      `select pg_last_wal_replay_lsn()::text as position, system_identifier::text as system, pg_is_in_recovery() as follows
         from pg_control_system()`,
    );
    const { position, follows } = rows[0];
    system = theirs[0].system;
    if (rows[0].system !== system) throw new Error('it is no replica of the database in DATABASE_URL');
    if (!follows || position === null) throw new Error('it follows nobody: a streaming replica is wanted');
    const replayed = positionOf(position);
    const reached = marks.filter((each) => each.position <= replayed);
    if (reached.length > 0) caughtUpAt = reached.at(-1)!.at;
    marks = marks.filter((each) => each.position > replayed);
    heardAt = performance.now();
  };

  const lag = () => {
    const now = performance.now();
    if (now - heardAt > 3 * every) return undefined;
    return marks.length === 0 ? 0 : (now - caughtUpAt) / 1_000;
  };
  const isUsable = () => {
    const behind = lag();
    return behind !== undefined && behind <= settings.mostLag;
  };

  let wasUsable: boolean | undefined;
  /** Told when it changes, not at each look. */
  const tell = (error?: unknown) => {
    const usable = isUsable();
    if (usable === wasUsable) return;
    if (usable) log.info('reads that may lag go to the replica');
    else log.warn({ err: error, lag: lag() }, 'the replica is not asked: reads that may lag go to the primary');
    wasUsable = usable;
  };
  const lookAndTell = () => look().then(() => tell(), tell);

  const stop = new AbortController();
  const looking = (async () => {
    while (!stop.signal.aborted) {
      await sleep(every, undefined, { signal: stop.signal, ref: false }).catch(() => {});
      if (!stop.signal.aborted) await lookAndTell();
    }
  })();
  await lookAndTell();

  return {
    get state() {
      return { usable: isUsable(), lag: lag() };
    },
    async query<Row>(sql: string, params: readonly unknown[]) {
      if (!isUsable()) return undefined;
      try {
        return (await pool.query({ text: sql, values: [...params] })).rows as Row[];
      } catch (error) {
        // Gone, or the statement was in the way of what it replays. The primary answers; a fault of the statement shows there.
        log.debug({ err: error }, 'the replica did not answer');
        return undefined;
      }
    },
    async close() {
      stop.abort();
      await looking;
      await pool.end();
    },
  };
}

/** `16/B374D848`: both halves are hexadecimal. */
function positionOf(text: string): bigint {
  const [high, low] = text.split('/');
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}
