import type { Writable } from 'node:stream';
import type { Cluster, CommonRedisOptions, Redis, RedisOptions } from 'ioredis';
import type { Log } from './log.ts';
import { isSentinelUrl, readSentinelUrl } from './redis-url.ts';

export type RedisConnection = Redis | Cluster;

/** Milliseconds in which Redis must have said something. */
const patience = 3_000;

const common = {
  maxRetriesPerRequest: 2,
  connectTimeout: 3_000,
  // A connection that was lost without a word is one for a quarter of an hour, as far as the network tells.
  socketTimeout: 5_000,
  // After a failover the old master may still answer, as a replica that takes no writes: look for the new one, and ask again.
  reconnectOnError: (error: Error) => (error.message.startsWith('READONLY') ? 2 : false),
} satisfies CommonRedisOptions;

/**
 * Connects to Redis.
 * @param url `redis://` or `rediss://` for one server; several, separated by commas, are nodes of a Cluster;
 *   `redis+sentinel://host:port,host:port/name` asks sentinels who the master is, now and after each failover
 */
export async function connectRedis(url: string, log: Log): Promise<RedisConnection> {
  // Loaded only where there is a Redis.
  const { Cluster, Redis } = await import('ioredis');
  const open = (): RedisConnection => {
    if (isSentinelUrl(url)) return new Redis({ ...common, ...sentinelOptions(url) });
    const nodes = url.split(',').map((node) => new URL(node.trim()));
    if (nodes.length === 1) return new Redis(url.trim(), common);
    return new Cluster(
      nodes.map(({ hostname, port }) => ({ host: hostname, port: Number(port || 6379) })),
      { enableAutoPipelining: true, redisOptions: { ...common, commandTimeout: patience, ...credentials(nodes[0]!) } },
    );
  };
  const redis = open();
  if (!redis.isCluster) {
    gatherCommands(redis as Redis);
    refuseWhenSilent(redis as Redis);
  }
  // Without a listener ioredis prints every retry to the console; it reconnects by itself.
  redis.on('error', (error: Error) => log.warn({ err: error }, 'redis is out of reach'));
  return redis;
}

/**
 * What is asked in one turn of the event loop is sent in one piece: each piece wakes the server. (ioredis's own way,
 * `enableAutoPipelining`, makes a pipeline with an accessor, which V8 keeps, with all that was asked, until the next full
 * collection.)
 */
function gatherCommands(redis: Redis): void {
  const send = redis.sendCommand.bind(redis);
  redis.sendCommand = (...command) => {
    const { stream } = redis as unknown as { stream?: Writable };
    if (stream?.writableCorked === 0) {
      stream.cork();
      setImmediate(() => stream.uncork());
    }
    return send(...command);
  };
}

/** What was sent, what waits for a connection, and what is to be sent again over a new one. */
const queues = ['commandQueue', 'offlineQueue', 'prevCommandQueue'] as const;

type WithQueues = Record<(typeof queues)[number], { toArray(): Waiting[] } | undefined>;

interface Waiting {
  command: { reject(error: Error): void };
}

/**
 * Refuses each command that has waited for too long, however often it was sent. (ioredis's own way, `commandTimeout`, is a
 * timer for each command: a fiftieth of a sign-in.)
 */
function refuseWhenSilent(redis: Redis): void {
  const since = new WeakMap<object, number>();
  const look = () => {
    const now = performance.now();
    const waiting = queues.flatMap((name) => (redis as unknown as WithQueues)[name]?.toArray() ?? []);
    for (const { command } of waiting) {
      const at = since.get(command);
      if (at === undefined) since.set(command, now);
      else if (now - at >= patience) command.reject(new Error('Redis does not answer'));
    }
  };
  const timer = setInterval(look, patience / 6).unref();
  redis.once('end', () => clearInterval(timer));
}

const credentials = ({ username, password, protocol }: URL): RedisOptions => ({
  ...(username ? { username: decodeURIComponent(username) } : {}),
  ...(password ? { password: decodeURIComponent(password) } : {}),
  ...(protocol === 'rediss:' ? { tls: {} } : {}),
});

function sentinelOptions(url: string): RedisOptions {
  const { sentinels, name, db, username, password, sentinelUsername, sentinelPassword, tls } = readSentinelUrl(url)!;
  return {
    sentinels,
    name,
    db,
    ...(username && { username }),
    ...(password && { password }),
    ...(sentinelUsername && { sentinelUsername }),
    ...(sentinelPassword && { sentinelPassword }),
    ...(tls && { tls: {}, sentinelTLS: {}, enableTLSForSentinelMode: true }),
    // One that does not answer is passed over; the whole list is asked again until somebody knows.
    sentinelRetryStrategy: (times) => Math.min(times * 100, 1_000),
    // Told by the sentinels of a failover, instead of finding out when the old master is gone.
    failoverDetector: true,
  };
}
