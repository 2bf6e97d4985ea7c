import type { Bus } from './bus.ts';
import type { Stops } from './stops/index.ts';

/** Longer than any client's id or resource's identifier. */
const longestKey = 1_000;

/** How a cache does, since the process began. */
export interface CacheReads {
  hits: number;
  misses: number;
  /** Entries now. */
  kept: number;
}

export interface Remembered<T> {
  /** From memory if it may be used, else loaded. */
  get(key: string): Promise<T | undefined>;
  /** Loaded, whatever is remembered. */
  fresh(key: string): Promise<T | undefined>;
  reads(): CacheReads;
  /** Call inside the transaction that changes the row: everybody else forgets it. */
  forget(key: string): Promise<void>;
}

interface Entry<T> {
  value: T | undefined;
  loadedAt: number;
  names: readonly string[];
}

/**
 * A read cache of one kind of row that every process forgets the moment any process changes it.
 *
 * A message on the bus is the fast way and may be lost; whoever must not be wrong calls `stops.catchUp` before it asks,
 * and is then told nothing that a stop made untrue. Entries also age out after `maxAge`.
 *
 * A load that was under way when the change was heard may carry the old row, so it is not kept: the generation at its
 * start has passed.
 */
export function remembered<T>(options: {
  stops?: Stops | undefined;
  /** Hears of single keys; none for what only {@link Stops} tells of. */
  bus?: Bus;
  topic: string;
  load: (key: string) => Promise<T | undefined>;
  /** milliseconds; less than a stop is remembered (`stops/heard.ts`) */
  maxAge: number;
  most: number;
  /** Other names under which it is stopped. */
  alsoUnder?: (value: T) => readonly string[];
  /** Whether "there is none" is remembered too. */
  keepMissing?: boolean;
}): Remembered<T> {
  const { stops, bus, topic, load, maxAge, most, alsoUnder = () => [], keepMissing = true } = options;
  const kept = new Map<string, Entry<T>>();
  const loading = new Map<string, { value: Promise<T | undefined>; version: number }>();
  let generation = 0;
  let hits = 0;
  let misses = 0;

  const nameOf = (key: string) => `${topic}:${key}`;
  // Where nobody tells of changes nothing is remembered.
  const isGood = ({ loadedAt, names }: Entry<T>): boolean =>
    loadedAt + maxAge > performance.now() && (stops ? stops.mayUse(loadedAt, names) : bus !== undefined);

  bus?.subscribe(topic, (key) => {
    generation++;
    loading.clear();
    if (key === 'reconnected') kept.clear();
    else kept.delete(key);
  });

  const fetch = async (key: string): Promise<T | undefined> => {
    const started = generation;
    const loadedAt = performance.now();
    const value = await load(key);
    if (value === undefined && !keepMissing) return undefined;
    const entry = { value, loadedAt, names: [nameOf(key), ...(value === undefined ? [] : alsoUnder(value))] };
    if (started === generation && isGood(entry)) {
      kept.delete(key);
      if (kept.size >= most) kept.delete(kept.keys().next().value!);
      kept.set(key, entry);
    }
    return value;
  };

  return {
    async get(key) {
      // Strangers send what they like: it must neither fill the memory nor reach the database, which keeps no NUL.
      if (key.length > longestKey || key.includes('\0')) return undefined;
      const entry = kept.get(key);
      if (entry && isGood(entry)) {
        hits++;
        return entry.value;
      }
      misses++;
      // A load that began before a stop was heard of may not have seen it: it is not shared.
      const version = stops?.version() ?? 0;
      const shared = loading.get(key);
      if (shared?.version === version) return shared.value;
      const fresh = {
        version,
        value: fetch(key).finally(() => {
          if (loading.get(key) === fresh) loading.delete(key);
        }),
      };
      loading.set(key, fresh);
      return fresh.value;
    },
    fresh: fetch,
    reads: () => ({ hits, misses, kept: kept.size }),
    async forget(key) {
      stops?.mark(nameOf(key));
      await bus?.publish(topic, key);
    },
  };
}
