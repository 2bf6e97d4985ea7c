import { Migration } from '@mikro-orm/migrations';

/** How people prove who they are: passwords, and the one-time codes and links that letters carry. */
export default class Credentials extends Migration {
  override name = '0006-credentials';

  override up(): void {
    this.addSql(`create table password (
      user_id uuid primary key,
      hash text not null,
      changed_at timestamptz not null
    )`);
    // One row for each person and purpose: a newer letter takes the place of the older one.
    this.addSql(`create table one_time_proof (
      id uuid primary key,
      user_id uuid not null,
      purpose text not null check (purpose in ('verify_email','reset_password','choose_password')),
      email text not null,
      code_mac text not null,
      link_hash text not null unique,
      handle_hash text not null,
      attempts_left smallint not null,
      issued_at timestamptz not null,
      expires_at timestamptz not null,
      used_at timestamptz,
      unique (user_id, purpose)
    )`);
    this.addSql(`create index one_time_proof_handle on one_time_proof (handle_hash)`);
    this.addSql(`create index one_time_proof_expiry on one_time_proof (expires_at)`);
  }
}
