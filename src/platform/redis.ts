import type { Cluster, Redis } from 'ioredis';
import type { Log } from './log.ts';

export type RedisConnection = Redis | Cluster;

/**
 * Connects to Redis.
 * @param url `redis://` or `rediss://` for one server; several, separated by commas, are nodes of a Cluster
 */
export async function connectRedis(url: string, log: Log): Promise<RedisConnection> {
  // Loaded only where there is a Redis.
  const { Cluster, Redis } = await import('ioredis');
  const nodes = url.split(',').map((node) => node.trim());
  const common = { enableAutoPipelining: true, maxRetriesPerRequest: 2, commandTimeout: 3_000, connectTimeout: 3_000 };
  const first = new URL(nodes[0]!);
  const credentials = {
    ...(first.username ? { username: decodeURIComponent(first.username) } : {}),
    ...(first.password ? { password: decodeURIComponent(first.password) } : {}),
    ...(first.protocol === 'rediss:' ? { tls: {} } : {}),
  };
  const redis =
    nodes.length === 1
      ? new Redis(nodes[0]!, common)
      : new Cluster(
          nodes.map((node) => ({ host: new URL(node).hostname, port: Number(new URL(node).port || 6379) })),
          { enableAutoPipelining: true, redisOptions: { ...common, ...credentials } },
        );
  // Without a listener ioredis prints every retry to the console; it reconnects by itself.
  redis.on('error', (error: Error) => log.warn({ err: error }, 'redis is out of reach'));
  return redis;
}
