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

parentPort?.on('message', (job: HashingJob) => {
  let answer: HashingAnswer;
  try {
    answer =
      'phc' in job
        ? { result: verifySync(job.phc, job.password) }
        : { result: hashSync(job.password, { ...job.cost, outputLen: 32 }) };
  } catch {
    // The library's message may quote what it was given.
    answer = { fault: 'argon2 refused its input' };
  }
  parentPort?.postMessage(answer);
});
