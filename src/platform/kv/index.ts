/**
 * Values that live for a while and may be lost: in Redis when there is one, else in PostgreSQL. Knows nothing of
 * identity; what must survive does not belong here. Time is the clock's: a value is gone when the clock says so.
 */
export type { KeyValue, Stored } from './key-value.ts';
export { createPostgresKeyValue } from './postgres.ts';
export { createRedisKeyValue, expiringValue, valueKey } from './redis.ts';
