import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import type { Log } from '../log.ts';
import type { Db } from './db.ts';

/** Any number will do; it only has to be the same in every version of Cardea. */
const migrationLock = 4_217_001;

/** The schema is behind, and this process is not to change it; the message says what to do. */
export class SchemaFault extends Error {
  override readonly name = 'DatabaseFault';
}

/**
 * Sees to it that the schema is this version's before anything is asked of it. On a database that is up to date, which
 * is nearly every start, this is one question.
 * @param options.migrations their folder
 * @param options.apply false: another process does it (a job of its own at a rollout), and is waited for
 * @param options.open connections for applying, made only when there is something to apply
 * @param options.patience seconds to wait for the other process
 * @throws SchemaFault when it did not come in time
 */
export async function ensureSchema(options: {
  url: string;
  migrations: string;
  apply: boolean;
  open: () => Promise<Db>;
  log: Log;
  patience?: number;
}): Promise<void> {
  const { apply, open, log, patience = 120 } = options;
  let missing = await missingMigrations(options);
  if (missing.length === 0) return;
  if (apply) {
    const db = await open();
    await migrate(db, log).finally(() => db.close());
    return;
  }
  log.warn({ missing }, 'waiting for another process to bring the schema up to date: database.migrate is false');
  for (const until = performance.now() + patience * 1000; missing.length > 0; ) {
    if (performance.now() > until) {
      throw new SchemaFault(
        `The schema lacks ${missing.join(', ')}, and this process may not change it (database.migrate is false): ` +
          'run "cardea migrate" first.',
      );
    }
    await sleep(500);
    missing = await missingMigrations(options);
  }
}

/** Of the folder's, those that the database has not seen. One that has seen more, a newer version's, lacks none. */
async function missingMigrations({ url, migrations }: { url: string; migrations: string }): Promise<string[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>('select name from migration');
    const seen = new Set(rows.map(({ name }) => name));
    return namesIn(migrations).filter((name) => !seen.has(name));
  } catch (error) {
    // undefined_table: nothing was applied yet.
    if ((error as { code?: string }).code === '42P01') return namesIn(migrations);
    throw error;
  } finally {
    await client.end();
  }
}

const namesIn = (folder: string): string[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.slice(0, -3))
    .toSorted();

/**
 * Brings the schema up to date. Processes that start together wait for one another under an advisory lock;
 * migrations only ever go forward.
 * @returns the names of those applied now
 */
export async function migrate(db: Db, log: Log): Promise<string[]> {
  const { Migrator } = await import('@mikro-orm/migrations');
  Migrator.register(db.orm);
  const client = await db.pool.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [migrationLock]);
    const applied = (await db.orm.migrator.up()).map(({ name }) => name);
    if (applied.length > 0) log.info({ migrations: applied }, 'the schema was brought up to date');
    return applied;
  } finally {
    // Ending the connection also drops the lock when the statement itself failed.
    client.release(true);
  }
}
