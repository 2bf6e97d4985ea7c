import { Pool } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { freshDatabase } from '../../../test/support/database.ts';
import { createVault } from '../crypto.ts';
import { silentLog } from '../log.ts';
import { connectRedis, type RedisConnection } from '../redis.ts';
import { addressKey } from './address-key.ts';
import { type Budget, refusalHeaders } from './budget.ts';
import { createLimits, type Limits } from './limits.ts';

const vault = createVault('a secret of the tests');
let pool: Pool;
let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await freshDatabase();
  pool = new Pool({ connectionString: database.url });
  // The database is dropped under connections that are just closing.
  pool.on('connect', (client) => client.on('error', () => {}));
  pool.on('error', () => {});
  drop = database.drop;
});
afterAll(async () => {
  await pool.end();
  await drop();
});
afterEach(() => void vi.useRealTimers());

interface Store {
  limits: Limits;
  /** Lets time pass for the store. */
  pass(seconds: number): Promise<void>;
  keys(): Promise<string[]>;
}

const openPostgres = async (): Promise<Store> => {
  vi.useFakeTimers({ toFake: ['Date'] });
  return {
    limits: createLimits({ pool, vault, log: silentLog }),
    pass: async (seconds) => void vi.setSystemTime(Date.now() + seconds * 1000),
    keys: async () => (await pool.query('select key from rate_limit')).rows.map(({ key }) => key),
  };
};

let redis: RedisConnection | undefined;
afterAll(() => void redis?.disconnect());
const openRedis = (url: string) => async (): Promise<Store> => {
  redis?.disconnect();
  const connection = await connectRedis(url, silentLog);
  redis = connection;
  const nodes = () => ('nodes' in connection ? connection.nodes('master') : [connection]);
  const allKeys = async () => (await Promise.all(nodes().map((node) => node.keys('limit:*')))).flat();
  await connection.ping();
  return {
    limits: createLimits({ pool, redis: connection, vault, log: silentLog }),
    // Redis has its own clock: what is left of every key's life is shortened instead.
    pass: async (seconds) => {
      for (const key of await allKeys()) await connection.pexpire(key, (await connection.pttl(key)) - seconds * 1000);
    },
    keys: allKeys,
  };
};

const budget = (points: number): Budget => ({
  name: `test.${Math.random().toString(36).slice(2)}`,
  points,
  seconds: 60,
  onFault: 'closed',
});

function contract(open: () => Promise<Store>) {
  let store: Store;
  beforeEach(async () => {
    store = await open();
  });

  it('allows what the budget has, then says how long to wait', async () => {
    const three = budget(3);
    const counts = [];
    for (let i = 0; i < 4; i++) counts.push(await store.limits.take(three, 'a'));
    expect(counts.map(({ allowed }) => allowed)).toEqual([true, true, true, false]);
    expect(counts[3]!.retryAfter).toBeGreaterThan(55);
    expect(counts[3]!.retryAfter).toBeLessThanOrEqual(60);
    expect((await store.limits.take(three, 'b')).allowed).toBe(true);
    const refusal = await store.limits.demand(three, 'a').catch((error) => error);
    expect(refusal).toMatchObject({ code: 'limit.exceeded', kind: 'limited' });
    expect(refusalHeaders(refusal)).toEqual({
      'retry-after': String(refusal.retryAfter),
      'ratelimit-policy': `"${three.name}";q=3;w=60`,
      ratelimit: `"${three.name}";r=0;t=${refusal.retryAfter}`,
    });
    expect(counts.at(-1)!.blocked).toBe(false);
  });

  it('64 at once get no more than the budget', async () => {
    const five = budget(5);
    const all = await Promise.all(Array.from({ length: 64 }, () => store.limits.take(five, 'a')));
    expect(all.filter(({ allowed }) => allowed)).toHaveLength(5);
    expect(all.filter(({ taken }) => taken === 5)).toHaveLength(1);
  });

  it('starts anew when the window has ended', async () => {
    const one = budget(1);
    await store.limits.take(one, 'a');
    expect((await store.limits.take(one, 'a')).allowed).toBe(false);
    await store.pass(61);
    expect((await store.limits.take(one, 'a')).allowed).toBe(true);
  });

  it('a point given back can be taken again, and none can be saved up', async () => {
    const two = budget(2);
    await store.limits.giveBack(two, 'a');
    await store.limits.take(two, 'a');
    await store.limits.giveBack(two, 'a');
    await store.limits.giveBack(two, 'a');
    expect((await store.limits.look(two, 'a')).taken).toBe(0);
    await store.limits.take(two, 'a');
    await store.pass(61);
    await store.limits.giveBack(two, 'a');
    const counts = [];
    for (let i = 0; i < 3; i++) counts.push((await store.limits.take(two, 'a')).allowed);
    expect(counts).toEqual([true, true, false]);
  });

  it('a block lasts its time, whatever is given back meanwhile', async () => {
    const two = budget(2);
    await store.limits.take(two, 'a');
    await store.limits.block(two, 'a', 300);
    for (let i = 0; i < 5; i++) await store.limits.giveBack(two, 'a');
    const refused = await store.limits.take(two, 'a');
    expect(refused.allowed).toBe(false);
    expect(refused.retryAfter).toBeGreaterThan(290);
    expect(refused.blocked).toBe(true);
    await store.pass(299);
    expect((await store.limits.look(two, 'a')).allowed).toBe(false);
    await store.pass(2);
    expect((await store.limits.take(two, 'a')).allowed).toBe(true);
  });

  it('forgets', async () => {
    const one = budget(1);
    await store.limits.take(one, 'a');
    await store.limits.forget(one, 'a');
    expect(await store.limits.look(one, 'a')).toMatchObject({ taken: 0, allowed: true });
  });

  it('keeps neither addresses nor names in the store', async () => {
    await store.limits.take(budget(1), 'anna@example.com 192.0.2.1');
    const keys = await store.keys();
    expect(keys.length).toBeGreaterThan(0);
    expect(keys.join(' ')).not.toMatch(/anna|192\.0\.2/);
  });
}

describe('in PostgreSQL', () => contract(openPostgres));
describe.skipIf(!inject('redisUrl'))('in Redis', () => contract(openRedis(inject('redisUrl'))));
describe.skipIf(!inject('redisClusterUrl'))('in a Redis Cluster', () => contract(openRedis(inject('redisClusterUrl'))));

it.skipIf(!inject('redisUrl'))(
  'a budget used for the first time while others talk to Redis does not break the connection',
  async () => {
    const connection = await connectRedis(inject('redisUrl'), silentLog);
    const limits = createLimits({ pool, redis: connection, vault, log: silentLog });
    await connection.ping();
    // A connection that has just been made has seen no script yet; `get` opens the pipeline that `take` goes into.
    const all = Array.from({ length: 20 }, (_, n) => [connection.get(`x${n}`), limits.take(budget(3), 'a')]).flat();
    const answers = await Promise.all(all);
    expect(answers.filter((answer) => (answer as { allowed?: boolean } | null)?.allowed)).toHaveLength(20);
    connection.disconnect();
  },
);

describe('while the store is out of reach', () => {
  const broken = new Pool({ connectionString: 'postgres://nobody@127.0.0.1:1/none' });
  const limits = createLimits({ pool: broken, vault, log: silentLog });

  it('guesses are refused', async () => {
    await expect(limits.take(budget(1), 'a')).rejects.toMatchObject({ code: 'store.unavailable', kind: 'unavailable' });
  });

  it('nuisances are let through', async () => {
    const open: Budget = { ...budget(1), onFault: 'open' };
    for (let i = 0; i < 3; i++) expect((await limits.take(open, 'a')).allowed).toBe(true);
    await limits.giveBack(open, 'a');
  });
});

describe('addressKey', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:201', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:0db8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ])('%s counts as %s', (ip, key) => expect(addressKey(ip)).toBe(key));
});
