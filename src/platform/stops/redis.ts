import type { Redis } from 'ioredis';
import type { Clock } from '../clock.ts';
import { expiringValue, valueKey } from '../kv/index.ts';
import type { RedisConnection } from '../redis.ts';
import { Refusal } from '../refusal.ts';
import { type Journal, readTogether, type Told } from './journal.ts';

const keptEntries = 10_000;
const pageSize = 1_000;

const tellScript = `
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ${keptEntries}, '*', 'n', ARGV[1], 'names', ARGV[2])
redis.call('SET', KEYS[2], id)
return id`;

const beginScript = `
local head = redis.call('GET', KEYS[2])
if head then return head end
head = redis.call('XADD', KEYS[1], '*', 'n', '0', 'names', '')
redis.call('SET', KEYS[2], head)
return head`;

type WithScripts = Redis & {
  cardeaTellStop(stream: string, head: string, n: number, names: string): Promise<string>;
  cardeaBeginStops(stream: string, head: string): Promise<string>;
};

const separator = '\n';

/** A copy that is read together with tokens. It may be lost at any time: then it begins anew, under another head. */
export interface FastJournal extends Journal {
  /** @param names none says that the stop is over */
  tell(n: number, names: readonly string[]): Promise<void>;
}

/** @param deps.installation installations may share a Redis */
export function createRedisJournal(deps: {
  redis: RedisConnection;
  clock: Clock;
  installation: () => Promise<string>;
}): FastJournal {
  const { redis, clock, installation } = deps;
  const client = redis as WithScripts;
  client.defineCommand('cardeaTellStop', { numberOfKeys: 2, lua: tellScript });
  client.defineCommand('cardeaBeginStops', { numberOfKeys: 2, lua: beginScript });
  const unwrap = expiringValue(clock);

  let id: string | undefined;
  const streamKey = async () => {
    id ??= await installation();
    return `cardea:{stops:${id}}`;
  };
  const headKey = async () => `${await streamKey()}:head`;

  /** On a Cluster each key may be another node's: the client asks them all at once. */
  const getAll = (keys: string[]): Promise<(string | null)[]> =>
    redis.isCluster ? Promise.all(keys.map((key) => redis.get(key))) : redis.mget(keys);

  return {
    read: readTogether(async (keys) => {
      const [head, ...values] = await reach(getAll([await headKey(), ...keys.map(valueKey)]));
      return { head: head ?? undefined, values: values.map(unwrap) };
    }),

    async since(known) {
      const stream = await streamKey();
      const told: Told[] = [];
      for (let from = known, full = true; full; ) {
        const [anchor, ...entries] = await reach(client.xrange(stream, from, '+', 'COUNT', pageSize));
        if (anchor?.[0] !== from) return undefined;
        for (const [head, [, n, , names = '']] of entries) {
          told.push({ head, n: Number(n), names: names === '' ? [] : names.split(separator), isCommitted: false });
        }
        full = entries.length === pageSize - 1;
        from = told.at(-1)?.head ?? from;
      }
      return told;
    },

    async begin() {
      const [stream, head] = await Promise.all([streamKey(), headKey()]);
      return reach(client.cardeaBeginStops(stream, head));
    },
    async tell(n, names) {
      if (client.status !== 'ready') throw new Refusal('store.unavailable', { kind: 'unavailable', retryAfter: 2 });
      const [stream, head] = await Promise.all([streamKey(), headKey()]);
      await reach(client.cardeaTellStop(stream, head, n, names.join(separator)));
    },
  };
}

async function reach<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw new Refusal('store.unavailable', { kind: 'unavailable', retryAfter: 2, cause: error });
  }
}
