import { Cluster, type Redis } from 'ioredis';
import { describe, inject, it } from 'vitest';
import type { Db } from '../../src/platform/db/index.ts';
import { connectRedis, type RedisConnection, silentLog } from '../../src/platform/index.ts';
import { artifactStoreContract } from './artifact-store.ts';

artifactStoreContract('PostgreSQL', async () => ({
  dump: async (db: Db) => JSON.stringify(await db.query('select * from fleeting')),
  flush: async (db: Db) => void (await db.query('truncate fleeting')),
}));

for (const [name, url] of [
  // A database of its own: other tests use the server at the same time, and this one empties it.
  ['a single Redis server', inject('redisUrl') && `${inject('redisUrl')}/9`],
  ['a Redis Cluster', inject('redisClusterUrl')],
] as const) {
  if (!url) {
    describe(`the artifact store over ${name}`, () => it.skip('needs redis-server on PATH', () => {}));
    continue;
  }
  artifactStoreContract(name, async () => {
    const redis = await connectRedis(url, silentLog);
    return {
      redis,
      dump: async () => (await Promise.all(nodes(redis).map(dumpNode))).join(' '),
      flush: async () => void (await Promise.all(nodes(redis).map((node) => node.flushdb()))),
    };
  });
}

const nodes = (redis: RedisConnection): Redis[] => (redis instanceof Cluster ? redis.nodes('master') : [redis]);

/** What is no plain value is none of this store's. */
async function dumpNode(node: Redis): Promise<string> {
  const lines: string[] = [];
  for (const key of await node.keys('*')) lines.push(key, (await node.get(key).catch(() => '')) ?? '');
  return lines.join(' ');
}
