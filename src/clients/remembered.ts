import type { Bus } from '../platform/index.ts';

/** Longer than any client's id or resource's identifier. */
const longestKey = 1_000;

/**
 * A read cache of one kind of row that every process forgets the moment any process changes it.
 *
 * A load that was under way when the change was heard may carry the old row, so it is not kept: the generation at its
 * start has passed. Entries also age out, which bounds the harm of a lost message to `maxAge`.
 */
export function remembered<T>(options: {
  bus: Bus;
  topic: string;
  load: (key: string) => Promise<T | undefined>;
  /** milliseconds */
  maxAge: number;
  most: number;
}) {
  const { bus, topic, load, maxAge, most } = options;
  const kept = new Map<string, { value: T | undefined; until: number }>();
  const loading = new Map<string, Promise<T | undefined>>();
  let generation = 0;

  bus.subscribe(topic, (key) => {
    generation++;
    loading.clear();
    if (key === 'reconnected') kept.clear();
    else kept.delete(key);
  });

  const fetch = async (key: string): Promise<T | undefined> => {
    const started = generation;
    const value = await load(key);
    if (started === generation) {
      if (kept.size >= most) kept.delete(kept.keys().next().value!);
      kept.set(key, { value, until: performance.now() + maxAge });
    }
    return value;
  };

  return {
    async get(key: string): Promise<T | undefined> {
      // Strangers send what they like: it must neither fill the memory nor reach the database, which keeps no NUL.
      if (key.length > longestKey || key.includes('\0')) return undefined;
      const entry = kept.get(key);
      if (entry && entry.until > performance.now()) return entry.value;
      const started = loading.get(key);
      if (started) return started;
      const fresh = fetch(key).finally(() => loading.delete(key));
      loading.set(key, fresh);
      return fresh;
    },
    /** Call inside the transaction that changes the row: the others hear of it at its commit. */
    forget: (key: string) => bus.publish(topic, key),
  };
}
