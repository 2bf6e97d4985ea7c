import type { Db } from '../db/index.ts';
import { type Clock, type Log, secondsAfter } from '../index.ts';
import { inSpan } from '../spans.ts';

export interface Jobs {
  /**
   * Has `work` done every `seconds`, counted over all processes together.
   * @param name the same in every process
   * @param work gets a signal that is aborted at stop; a long one should heed it. Its errors are logged.
   */
  every(name: string, seconds: number, work: (signal: AbortSignal) => Promise<unknown>): void;
  start(): void;
  /** Starts nothing more and waits for what runs. */
  stop(): Promise<void>;
  /** Does the work now, whenever it was done last. @returns false when another process is at it */
  run(name: string): Promise<boolean>;
}

interface Job {
  seconds: number;
  work: (signal: AbortSignal) => Promise<unknown>;
}

export function createJobs(deps: { db: Db; clock: Clock; log: Log }): Jobs {
  const { db, clock, log } = deps;
  const jobs = new Map<string, Job>();
  const timers = new Set<NodeJS.Timeout>();
  const running = new Set<Promise<unknown>>();
  let stopping = new AbortController();

  /** Whether it is time; whoever notes the start has the turn. */
  const isTurn = async (name: string, seconds: number) => {
    const now = clock.now();
    const turn = await db.query(
      `insert into job (name, started_at) values ($1, $2)
       on conflict (name) do update set started_at = $2 where job.started_at <= $3 returning name`,
      [name, now, secondsAfter(now, -seconds)],
    );
    return turn.length > 0;
  };

  // The lock belongs to a connection of its own: it goes with the process, whatever way the process goes.
  const alone = async (name: string, work: () => Promise<void>): Promise<boolean> => {
    const client = await db.pool.connect();
    let broken: Error | undefined;
    const note = (error: Error) => {
      broken = error;
    };
    client.on('error', note);
    try {
      const { rows } = await client.query('select pg_try_advisory_lock(hashtextextended($1, 0)) as got', [
        `job:${name}`,
      ]);
      if (!rows[0].got) return false;
      try {
        await work();
      } finally {
        await client.query('select pg_advisory_unlock(hashtextextended($1, 0))', [`job:${name}`]).catch(note);
      }
      return true;
    } finally {
      client.off('error', note);
      client.release(broken);
    }
  };

  const attempt = async (name: string, { seconds, work }: Job, whenever: boolean): Promise<boolean> => {
    // A little less than the period, so that a timer that fires early does not cost a whole turn.
    const period = seconds * 0.9;
    try {
      return await alone(name, async () => {
        if (whenever || (await isTurn(name, period)))
          await inSpan(`job ${name}`, { root: true }, async () => work(stopping.signal));
      });
    } catch (error) {
      log.error({ err: error, job: name }, 'a job failed');
      return true;
    }
  };

  const track = (work: Promise<boolean>) => {
    running.add(work);
    return work.finally(() => running.delete(work));
  };

  const schedule = (name: string, job: Job, seconds: number) => {
    // Up to a tenth later, by chance, so that processes started together drift apart.
    const timer = setTimeout(
      async () => {
        timers.delete(timer);
        await track(attempt(name, job, false));
        if (!stopping.signal.aborted) schedule(name, job, job.seconds);
      },
      seconds * 1000 * (1 + Math.random() / 10),
    );
    timers.add(timer.unref());
  };

  return {
    every(name, seconds, work) {
      if (jobs.has(name)) throw new Error(`two jobs are called ${name}`);
      jobs.set(name, { seconds, work });
    },
    start() {
      stopping = new AbortController();
      for (const [name, job] of jobs) schedule(name, job, Math.min(job.seconds, 5 + Math.random() * 5));
    },
    async stop() {
      stopping.abort();
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
      await Promise.all(running);
    },
    async run(name) {
      const job = jobs.get(name);
      if (!job) throw new Error(`no job is called ${name}`);
      return track(attempt(name, job, true));
    },
  };
}
