import { Migration } from '@mikro-orm/migrations';

/** What was stopped, in the order of the commits: what processes remember is held against it. */
export default class Stops extends Migration {
  override name = '0019-stops';

  override up(): void {
    // The id tells installations apart that share a Redis.
    // One row. Who stops something holds it until the commit, so the numbers come in the order in which they can be seen.
    this.addSql(`create table stop_head (
      single boolean primary key default true check (single),
      id uuid not null default gen_random_uuid(),
      n bigint not null
    ) with (fillfactor = 50)`);
    this.addSql(`insert into stop_head (n) values (0)`);
    this.addSql(`create table stop_journal (
      n bigint primary key,
      names text[] not null,
      at timestamptz not null
    )`);
    this.addSql(`create index stop_journal_at on stop_journal (at)`);
  }
}
