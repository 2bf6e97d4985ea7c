import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { hashSync, verifySync } from '@node-rs/argon2';
import type { HashingAnswer, HashingJob } from './hashing.ts';

// On Linux a priority belongs to the thread: hashing gives way to the thread that answers requests and to the one that
// signs. Elsewhere it belongs to the process, which is left as it is.
if (process.platform === 'linux') {
  try {
    setPriority(0, 10);
  } catch {
    // A sandbox may forbid it; the work is the same.
  }
}

/** Loaded only where people have come from elsewhere. */
let registry: typeof import('./foreign/registry.ts') | undefined;

const work = (job: HashingJob): string | boolean => {
  if ('phc' in job) return verifySync(job.phc, job.password);
  if ('cost' in job) return hashSync(job.password, { ...job.cost, outputLen: 32 });
  const foreign = registry!.readForeign(job.foreign);
  // The limit holds here as well, whatever was let into the table.
  return foreign !== undefined && foreign.dear <= 1 && foreign.verify(job.password, job.key);
};

parentPort?.on('message', async (job: HashingJob) => {
  let answer: HashingAnswer;
  if ('foreign' in job) registry ??= await import('./foreign/registry.ts');
  const since = performance.now();
  try {
    answer = { result: work(job), took: performance.now() - since };
  } catch {
    // The library's message may quote what it was given.
    answer = { fault: 'a hash could not be computed' };
  }
  parentPort?.postMessage(answer);
});
