import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Client } from 'pg';
import { inject } from 'vitest';
import { createDb, migrate } from '../../src/platform/db/index.ts';
import { silentLog } from '../../src/platform/log.ts';

const migrations = join(import.meta.dirname, '../../migrations');
const template = 'cardea_template';

/** A database of its own for a test: a copy of one that was migrated once in this run. Takes some 30 ms. */
export async function freshDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await asAdmin(async (admin) => {
    await migrateTemplate(admin);
    await admin.query(`create database ${name} template ${template}`);
  });
  return {
    url: databaseUrl(name),
    drop: () => asAdmin(async (admin) => void (await admin.query(`drop database if exists ${name} with (force)`))),
  };
}

/** A database without a schema, for the tests of the migrations themselves. */
export async function emptyDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await asAdmin(async (admin) => void (await admin.query(`create database ${name}`)));
  return {
    url: databaseUrl(name),
    drop: () => asAdmin(async (admin) => void (await admin.query(`drop database if exists ${name} with (force)`))),
  };
}

/** Test files run in several processes: the first one migrates, the others wait for it. */
async function migrateTemplate(admin: Client): Promise<void> {
  const exists = async () =>
    (await admin.query('select 1 from pg_database where datname = $1', [template])).rowCount === 1;
  if (await exists()) return;
  await admin.query('select pg_advisory_lock(1)');
  if (await exists()) return;
  const draft = `${template}_draft`;
  await admin.query(`drop database if exists ${draft} with (force)`);
  await admin.query(`create database ${draft}`);
  const db = await createDb({ url: databaseUrl(draft), entities: [], migrations, log: silentLog });
  try {
    await migrate(db, silentLog);
  } finally {
    await db.close();
  }
  // Named only when it is whole: nobody clones half a schema.
  await admin.query(`alter database ${draft} rename to ${template}`);
}

/** On a connection of its own, past everything that Cardea does. */
export async function onDatabase<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const asAdmin = <T>(work: (admin: Client) => Promise<T>): Promise<T> => onDatabase(inject('databaseUrl'), work);

const databaseUrl = (name: string) => inject('databaseUrl').replace(/[^/]*$/, name);
