import type { Log } from '../log.ts';
import type { Db } from './db.ts';

/** Any number will do; it only has to be the same in every version of Cardea. */
const migrationLock = 4_217_001;

/**
 * Brings the schema up to date. Processes that start together wait for one another under an advisory lock;
 * migrations only ever go forward.
 * @returns the names of those applied now
 */
export async function migrate(db: Db, log: Log): Promise<string[]> {
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
