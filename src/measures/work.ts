import type { HashingLoad } from '../credentials/index.ts';
import type { CacheReads } from '../platform/index.ts';
import type { Metrics } from '../platform/metrics/index.ts';

export interface Work {
  hashingLoad: () => HashingLoad;
  /** By the name of what they keep. */
  caches: Readonly<Record<string, () => CacheReads>>;
}

/** In seconds, from "at once" to where a person has given up; a hash itself takes about 0.01. */
const waits = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export const measureHashing = (metrics: Metrics): ((seconds: number) => void) =>
  metrics.histogram('password_hashing_wait_seconds', 'How long a password waited for a thread to hash it.', waits);

/** What a process has to do and has in memory. */
export function watchWork(metrics: Metrics, { hashingLoad, caches }: Work): void {
  metrics.gauge(
    'password_hashing_waiting',
    'Passwords that wait for a thread.',
    [],
    'sum',
    () => hashingLoad().waiting,
  );
  metrics.gauge('password_hashing_working', 'Passwords being hashed now.', [], 'sum', () => hashingLoad().working);
  metrics.gauge('password_hashing_threads', 'Most that are hashed at once.', [], 'sum', () => hashingLoad().threads);

  const each = (figure: keyof CacheReads) => () =>
    Object.entries(caches).map(([cache, reads]) => [{ cache }, reads()[figure]] as const);
  metrics.tally('cache_hits_total', 'Reads answered from memory, by cache.', ['cache'], each('hits'));
  metrics.tally('cache_misses_total', 'Reads that had to ask the store, by cache.', ['cache'], each('misses'));
  metrics.gauge('cache_entries', 'What a cache holds now.', ['cache'], 'sum', each('kept'));
}
