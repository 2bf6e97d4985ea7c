import type { Redis } from 'ioredis';
import type { Clock } from '../clock.ts';
import type { RedisConnection } from '../redis.ts';
import { Refusal } from '../refusal.ts';
import type { KeyValue } from './key-value.ts';
import { traced } from './traced.ts';

/** A mark outlives its value by this much, so that a value written again just before its end is still used. */
const markOutlives = 60_000;

const useScript = `
local ttl = redis.call('PTTL', KEYS[1])
if ttl <= 0 then return 0 end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ttl + ${markOutlives}) then return 1 end
return 0`;

const addScript = `
local stored = redis.call('GET', KEYS[1])
if stored and tonumber(string.match(stored, '^%d+')) > tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return 1`;

type WithScripts = Redis & {
  cardeaUse(value: string, mark: string, marked: string): Promise<number>;
  cardeaAdd(value: string, text: string, now: number, ttl: number): Promise<number>;
};

/**
 * Over Redis 6.2 or later, a single server or a Cluster: a value and its mark share a hash tag, so each operation
 * stays in one slot. One command a write (SET … PX), never MULTI, which costs four times as much; what is
 * asked in one turn of the event loop is sent in one piece (`platform/redis.ts`).
 *
 * A value is kept as `<expiry in ms> <value>`, so that expiry is the clock's; Redis's own only tidies up.
 */
export function createRedisKeyValue({ redis, clock }: { redis: RedisConnection; clock: Clock }): KeyValue {
  const client = redis as WithScripts;
  client.defineCommand('cardeaUse', { numberOfKeys: 2, lua: useScript });
  client.defineCommand('cardeaAdd', { numberOfKeys: 1, lua: addScript });

  // A value of its own in the same slot: what stands between the first braces names it.
  const markOf = (key: string) => `${key}}:used{`;
  const markedAt = () => `${Number.MAX_SAFE_INTEGER} ${Math.floor(now() / 1000)}`;
  const now = () => clock.now().getTime();
  const milliseconds = (seconds: number) => Math.ceil(seconds * 1000);
  const wrap = (value: string, seconds: number) => `${now() + milliseconds(seconds)} ${value}`;
  const unwrap = expiringValue(clock);

  const store: KeyValue = {
    async put(key, value, seconds) {
      if (seconds <= 0) return store.remove(key);
      await reach(client.set(valueKey(key), wrap(value, seconds), 'PX', milliseconds(seconds)));
    },
    async add(key, value, seconds) {
      const ttl = Math.max(1, milliseconds(seconds));
      return (await reach(client.cardeaAdd(valueKey(key), wrap(value, seconds), now(), ttl))) === 1;
    },
    get: async (key) => unwrap(await reach(client.get(valueKey(key)))),
    async readBy(values, key) {
      const [value, usedAt] = await values([key, markOf(key)]);
      return value === undefined ? undefined : { value, usedAt: usedAt === undefined ? undefined : Number(usedAt) };
    },
    read: (key) => store.readBy!(async (keys) => (await reach(client.mget(keys.map(valueKey)))).map(unwrap), key),
    use: async (key) => (await reach(client.cardeaUse(valueKey(key), valueKey(markOf(key)), markedAt()))) === 1,
    take: async (key) => unwrap(await reach(client.getdel(valueKey(key)))),
    async remove(key) {
      await reach(client.del(valueKey(key)));
    },
    cleanUp: async () => 0,
  };
  return traced(store, 'redis');
}

/** Where a value stands. */
export const valueKey = (key: string): string => `cardea:{${key}}`;

/** Reads a value as it is stored; undefined when its time is over. */
export const expiringValue =
  (clock: Clock) =>
  (stored: string | null | undefined): string | undefined => {
    if (!stored) return undefined;
    const space = stored.indexOf(' ');
    return Number(stored.slice(0, space)) > clock.now().getTime() ? stored.slice(space + 1) : undefined;
  };

/** Whatever Redis refuses (gone, loading, failing over, full, too slow) means the same to us: not now. */
async function reach<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw new Refusal('store.unavailable', { kind: 'unavailable', retryAfter: 2, cause: error });
  }
}
