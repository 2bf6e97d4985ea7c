import type { Events } from '../events/index.ts';
import type { Keys } from '../keys/index.ts';
import type { Db } from '../platform/db/index.ts';
import type { Clock, RedisConnection } from '../platform/index.ts';
import { type Labels, type Metrics, probe, sampled } from '../platform/metrics/index.ts';

export interface Stores {
  db: Db;
  redis: RedisConnection | undefined;
  events: Pick<Events, 'backlog'>;
  /** The outbox's topics: each has a figure also while nothing waits. */
  topics: readonly string[];
  keys: Pick<Keys, 'list'>;
  clock: Clock;
  /** Most connections to PostgreSQL. */
  connections: number;
}

/** Often enough for a scrape every 15 seconds, however many scrape. */
const everySeconds = 10;

/** PostgreSQL, Redis, and what lies in them: the outbox and the signing keys. */
export function watchStores(metrics: Metrics, stores: Stores): void {
  watchDatabase(metrics, stores);
  if (stores.redis) watchRedis(metrics, stores.redis);
  watchOutbox(metrics, stores);
  watchKeys(metrics, stores);
}

function watchDatabase(metrics: Metrics, { db, connections }: Stores): void {
  const ask = sampled(everySeconds, () => probe(() => db.query('select 1')));
  metrics.gauge('database_up', 'Whether PostgreSQL answers.', [], 'min', async () => (await ask())?.up ?? 0);
  metrics.gauge(
    'database_ping_seconds',
    'How long PostgreSQL took for the least of questions, with the wait for a connection.',
    [],
    'max',
    async () => (await ask())?.seconds,
  );
  if (db.replica()) {
    const name = 'database_replica';
    metrics.gauge(`${name}_usable`, 'Whether reads that may lag go to the replica.', [], 'min', () =>
      db.replica()?.usable ? 1 : 0,
    );
    metrics.gauge(`${name}_lag_seconds`, 'How far the replica is behind.', [], 'max', () => db.replica()?.lag);
  }
  const { pool } = db;
  metrics.gauge('database_connections', 'Connections to PostgreSQL, idle or not.', [], 'sum', () => pool.totalCount);
  metrics.gauge('database_connections_idle', 'Connections that nobody uses.', [], 'sum', () => pool.idleCount);
  metrics.gauge('database_connections_max', 'The most connections there may be.', [], 'sum', () => connections);
  metrics.gauge('database_waiting', 'Requests that wait for a connection.', [], 'sum', () => pool.waitingCount);
}

function watchRedis(metrics: Metrics, redis: RedisConnection): void {
  const ask = sampled(everySeconds, async () =>
    // While it reconnects, ioredis would keep the question for later.
    redis.status === 'ready' ? probe(() => redis.ping()) : { up: 0, seconds: undefined },
  );
  metrics.gauge('redis_up', 'Whether Redis answers.', [], 'min', async () => (await ask())?.up ?? 0);
  metrics.gauge('redis_ping_seconds', 'How long Redis took for PING.', [], 'max', async () => (await ask())?.seconds);
}

function watchOutbox(metrics: Metrics, { events, topics, clock }: Stores): void {
  const look = sampled(everySeconds, async () => {
    const found = new Map((await events.backlog()).map((backlog) => [backlog.topic, backlog]));
    const now = clock.now().getTime();
    return [...new Set([...topics, ...found.keys()])].map((topic) => {
      const { waiting = 0, parked = 0, oldest } = found.get(topic) ?? {};
      return { labels: { topic }, waiting, parked, age: oldest ? Math.max(0, now - oldest.getTime()) / 1000 : 0 };
    });
  });
  const gauge = (name: string, help: string, figure: 'waiting' | 'parked' | 'age') =>
    // All processes see the same table.
    metrics.gauge(name, help, ['topic'], 'max', async () =>
      (await look())?.map((row) => [row.labels as Labels, row[figure]] as const),
    );
  gauge('outbox_waiting', 'Messages not delivered yet.', 'waiting');
  gauge('outbox_parked', 'Messages given up on.', 'parked');
  gauge('outbox_oldest_age_seconds', 'The age of the oldest message not delivered yet; 0 when there is none.', 'age');
}

function watchKeys(metrics: Metrics, { keys, clock }: Stores): void {
  const look = sampled(everySeconds, () => keys.list());
  const stages = ['published', 'signing', 'retiring'] as const;
  metrics.gauge('signing_keys', 'Keys by algorithm and stage of their life.', ['alg', 'stage'], 'max', async () => {
    const found = await look();
    const algorithms = new Set(found?.map(({ alg }) => alg));
    return [...algorithms].flatMap((alg) =>
      stages.map((stage) => {
        const count = found!.filter((key) => key.alg === alg && key.stage === stage).length;
        return [{ alg, stage }, count] as const;
      }),
    );
  });
  metrics.gauge('signing_key_age_seconds', 'How long the present key has been signing.', ['alg'], 'max', async () =>
    (await look())
      ?.filter(({ stage }) => stage === 'signing')
      .map(({ alg, signsFrom }) => [{ alg }, (clock.now().getTime() - signsFrom.getTime()) / 1000] as const),
  );
}
