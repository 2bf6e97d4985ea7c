/**
 * The database: PostgreSQL through MikroORM. Offers units of work and plain statements that share one transaction,
 * and runs the migrations. Where the server comes from is `embedded.ts`'s business.
 */
export { createDb, type Db, type EntityManager } from './db.ts';
export { startEmbedded } from './embedded.ts';
export { isDuplicate } from './fault.ts';
export { ensureSchema, migrate } from './migrate.ts';
