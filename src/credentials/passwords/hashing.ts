import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { Refusal } from '../../platform/index.ts';
import type { ForeignKey } from './foreign/family.ts';

/** argon2id's parameters: memory in KiB, passes, lanes. */
export interface Cost {
  memoryCost: number;
  timeCost: number;
  parallelism: number;
}

export type HashingJob =
  | { password: string; cost: Cost }
  | { password: string; phc: string }
  | { password: string; foreign: string; key: ForeignKey | undefined };
/** `took` is in milliseconds, the waiting left out. */
export type HashingAnswer = { result: string | boolean; took: number } | { fault: string };
type Done = Extract<HashingAnswer, { took: number }>;

/** How much the threads have to do now. */
export interface HashingLoad {
  working: number;
  waiting: number;
  /** Most that work at once. */
  threads: number;
}

interface Waiting {
  job: HashingJob;
  since: number;
  resolve(done: Done): void;
  reject(error: Error): void;
}

/** Hashing on threads of its own, so that a rush of sign-ins delays neither signing nor DNS, which share libuv's pool. */
export interface Hashing {
  /** @returns a PHC string. @throws Refusal `credential.busy` (unavailable) when the queue is full */
  hash(password: string, cost: Cost): Promise<string>;
  verify(phc: string, password: string): Promise<boolean>;
  /** The same. @returns also how many milliseconds it took, the waiting left out */
  verifyTimed(phc: string, password: string): Promise<{ matches: boolean; took: number }>;
  /** Verifies another system's hash. @returns also how many milliseconds it took, the waiting left out */
  verifyForeign(
    hash: string,
    password: string,
    key: ForeignKey | undefined,
  ): Promise<{ matches: boolean; took: number }>;
  load(): HashingLoad;
  /** Ends the threads; what still waits is refused as busy. */
  close(): Promise<void>;
}

/**
 * @param options.threads default: one a core. Each needs the memory of one hash while it works
 * @param options.queue most that wait for a thread; more would only be answered after the person has gone
 * @param options.rest seconds after which a thread that has nothing to do is ended: it holds some 10 MB
 * @param options.waited called with the seconds each job waited for its thread
 */
export function createHashing(
  options: { threads?: number; queue?: number; rest?: number; waited?: ((seconds: number) => void) | undefined } = {},
): Hashing {
  const { threads = availableParallelism(), queue = 256, rest = 60, waited } = options;
  const waiting: Waiting[] = [];
  const idle: Worker[] = [];
  const resting = new WeakMap<Worker, NodeJS.Timeout>();
  const workers = new Set<Worker>();
  let closed = false;

  const busy = () => new Refusal('credential.busy', { kind: 'unavailable', retryAfter: 2 });

  /** Threads start when first needed and never keep the process alive while they are idle. */
  const start = (): Worker => {
    const worker = new Worker(new URL('./hashing-worker.ts', import.meta.url), { name: 'hashing' });
    workers.add(worker);
    worker.unref();
    // Also while it is idle: an unheard `error` would end the process.
    worker.on('error', () => undefined);
    worker.on('exit', () => {
      workers.delete(worker);
      if (idle.includes(worker)) idle.splice(idle.indexOf(worker), 1);
    });
    return worker;
  };

  /** The thread that worked last is taken first, so that those that are too many come to their end. */
  const layDown = (worker: Worker): void => {
    idle.push(worker);
    const end = () => {
      // It may have ended by itself meanwhile.
      if (!idle.includes(worker)) return;
      idle.splice(idle.indexOf(worker), 1);
      workers.delete(worker);
      void worker.terminate();
    };
    resting.set(worker, setTimeout(end, rest * 1000).unref());
  };

  const pickUp = (): Worker | undefined => {
    const worker = idle.pop();
    if (worker) clearTimeout(resting.get(worker));
    return worker;
  };

  const give = (worker: Worker, { job, since, resolve, reject }: Waiting): void => {
    waited?.((performance.now() - since) / 1000);
    const settle = () => {
      worker.off('message', answered).off('error', failed).off('exit', ended).unref();
    };
    const answered = (answer: HashingAnswer) => {
      settle();
      const next = waiting.shift();
      if (next) give(worker, next);
      else layDown(worker);
      if ('fault' in answer) reject(new Error(answer.fault));
      else resolve(answer);
    };
    const failed = (error: Error) => lost(error);
    const ended = () => lost(new Error('a hashing thread ended'));
    /** A thread that dies takes its one job with it, not its place. */
    const lost = (error: Error) => {
      settle();
      workers.delete(worker);
      reject(closed ? busy() : error);
      const next = closed ? undefined : waiting.shift();
      if (next) give(start(), next);
    };
    worker.on('message', answered).on('error', failed).on('exit', ended).ref();
    worker.postMessage(job);
  };

  const run = (job: HashingJob): Promise<Done> =>
    new Promise((resolve, reject) => {
      const one = { job, since: performance.now(), resolve, reject };
      const worker = pickUp() ?? (workers.size < threads ? start() : undefined);
      if (closed) reject(busy());
      else if (worker) give(worker, one);
      else if (waiting.length < queue) waiting.push(one);
      else reject(busy());
    });

  return {
    hash: async (password, cost) => (await run({ password, cost })).result as string,
    verify: async (phc, password) => (await run({ password, phc })).result as boolean,
    async verifyTimed(phc, password) {
      const { result, took } = await run({ password, phc });
      return { matches: result as boolean, took };
    },
    async verifyForeign(hash, password, key) {
      const { result, took } = await run({ password, foreign: hash, key });
      return { matches: result as boolean, took };
    },
    load: () => ({ working: workers.size - idle.length, waiting: waiting.length, threads }),
    async close() {
      closed = true;
      for (const one of waiting.splice(0)) one.reject(busy());
      await Promise.all([...workers].map((worker) => worker.terminate()));
      workers.clear();
    },
  };
}
