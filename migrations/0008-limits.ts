import { Migration } from '@mikro-orm/migrations';

/**
 * Counters of the rate limiter, for installations without Redis. The columns are those the library expects.
 * Unlogged: written at every attempt, and a crash may lose it.
 */
export default class Limits extends Migration {
  override name = '0008-limits';

  override up(): void {
    this.addSql(`create unlogged table rate_limit (
      key varchar(255) primary key,
      points integer not null default 0,
      expire bigint
    ) with (fillfactor = 70)`);
  }
}
