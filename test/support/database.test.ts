import { Client } from 'pg';
import { expect, inject, it } from 'vitest';
import { silentLog } from '../../src/platform/log.ts';
import { connectRedis } from '../../src/platform/redis.ts';
import { freshDatabase } from './database.ts';

it('gives each test a database of its own', async () => {
  const [one, two] = await Promise.all([freshDatabase(), freshDatabase()]);
  const client = new Client({ connectionString: one.url });
  await client.connect();
  await client.query('create table only_here (id int)');
  await client.end();
  const other = new Client({ connectionString: two.url });
  await other.connect();
  expect((await other.query(`select to_regclass('only_here') as found`)).rows[0].found).toBeNull();
  await other.end();
  await Promise.all([one.drop(), two.drop()]);
});

it.skipIf(!inject('redisUrl')).each(['redisUrl', 'redisClusterUrl'] as const)('offers Redis as %s', async (name) => {
  const redis = await connectRedis(inject(name), silentLog);
  for (let key = 0; key < 20; key++) await redis.set(`key-${key}`, key);
  expect(await redis.get('key-19')).toBe('19');
  redis.disconnect();
});
