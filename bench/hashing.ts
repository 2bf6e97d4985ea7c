/**
 * What hashing passwords does to the rest: the time of a signature while hashing is saturated, on threads of our own
 * and, for comparison, on libuv's pool, where signatures (and DNS) wait behind it. See docs/decisions/0008-passwords.md.
 *
 *     node bench/hashing.ts
 */
import { generateKeyPairSync, sign } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { hash } from '@node-rs/argon2';
import { createHashing } from '../src/credentials/passwords/hashing.ts';
import { defaultCost } from '../src/credentials/passwords/passwords.ts';

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const signOnce = () =>
  new Promise<void>((resolve, reject) => {
    sign('sha256', Buffer.alloc(300), privateKey, (error) => (error ? reject(error) : resolve()));
  });

/** Signs for four seconds while `parallel` hashes are always under way. */
async function measure(name: string, parallel: number, once: () => Promise<unknown>) {
  let running = true;
  let hashes = 0;
  const loops = Array.from({ length: parallel }, async () => {
    while (running) {
      await once();
      hashes += 1;
    }
  });
  const times: number[] = [];
  const start = performance.now();
  while (performance.now() - start < 4_000) {
    const before = performance.now();
    await signOnce();
    times.push(performance.now() - before);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  running = false;
  const rate = hashes / ((performance.now() - start) / 1_000);
  await Promise.all(loops);
  times.sort((a, b) => a - b);
  const p99 = times[Math.floor(times.length * 0.99)]!;
  const median = times[times.length >> 1]!;
  console.log(
    `${name.padEnd(16)} sign p50 ${median.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms; ${rate.toFixed(0)} hashes/s`,
  );
  return { p99, rate };
}

const hashing = createHashing();
await measure('idle', 0, async () => undefined);
const shared = await measure('libuv', 64, () => hash('a password', defaultCost));
const own = await measure('own threads', 64, () => hashing.hash('a password', defaultCost));
await hashing.close();
console.log(
  `on ${availableParallelism()} cores, own threads to libuv: p99 of a signature 1 : ${(shared.p99 / own.p99).toFixed(0)}, ` +
    `hashes ${(own.rate / shared.rate).toFixed(2)} : 1`,
);
