import { Migration } from '@mikro-orm/migrations';

/** What is set at run time, and the one-time link that begins an installation. */
export default class Setup extends Migration {
  override name = '0009-setup';

  override up(): void {
    this.addSql(`create table setting (
      name text primary key,
      value jsonb not null,
      updated_at timestamptz not null
    )`);
    this.addSql(`create table setup_link (
      id uuid primary key,
      token_hash text not null unique,
      stage text not null check (stage in ('organisation', 'administrator', 'application', 'finished')),
      administrator_id uuid,
      expires_at timestamptz not null
    )`);
  }
}
