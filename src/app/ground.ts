import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../platform/config/index.ts';
import { createDb, ensureSchema } from '../platform/db/index.ts';
import {
  type Clock,
  connectRedis,
  createBus,
  createLimits,
  createStops,
  createVault,
  type Log,
} from '../platform/index.ts';
import { createJobs, createTasks } from '../platform/jobs/index.ts';
import { createObjects } from '../platform/objects/index.ts';
import { createViews } from '../platform/views.ts';
import { currentBranding } from '../setup/index.ts';
import { UserEntity } from '../users/index.ts';

const root = join(import.meta.dirname, '../..');
/** The folder of the migrations. */
export const migrations = join(root, 'migrations');

/** What every room stands on: the stores, what tells other processes, what is done later, what pages are made of. */
export async function createGround(options: { settings: Settings; databaseUrl: string; log: Log; clock: Clock }) {
  const { settings, databaseUrl: url, log, clock } = options;
  const vault = createVault(settings.secrets);
  const store = { url, entities: [UserEntity], migrations, log };
  // A migration may take its time, a request may not: each has connections of its own.
  await ensureSchema({ url, migrations, apply: settings.database.migrate, open: () => createDb(store), log });
  const { replicaUrl, replicaLag, connections } = settings.database;
  const replica = replicaUrl ? { url: replicaUrl, mostLag: replicaLag } : undefined;
  const db = await createDb({ ...store, connections, answerWithin: 10, replica });
  const redis = settings.redis.url ? await connectRedis(settings.redis.url, log) : undefined;
  const bus = await createBus({ url, db, log });
  const stops = createStops({ db, redis, clock, log });
  const limits = createLimits({ pool: db.pool, redis, vault, log });
  const jobs = createJobs({ db, clock, log });
  const tasks = createTasks({ db, clock, log, bus });
  const measures = settings.metrics.port === undefined ? undefined : await startMeasures();
  const objects = await createObjects(settings);
  const branding = await currentBranding({ db, bus, clock, settings, log });
  const views = createViews({ dir: join(root, 'views'), branding, production: settings.mode === 'production', log });
  const { issuer } = settings;
  return {
    ...{ settings, issuer, log, clock, vault, db, redis, bus, stops, limits },
    ...{ jobs, tasks, measures, objects, branding, views },
  };
}

export type Ground = Awaited<ReturnType<typeof createGround>>;

/** What it takes is loaded only where it is wanted. */
async function startMeasures() {
  const { createMeasures } = await import('../measures/index.ts');
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return createMeasures({ version });
}
