import { Migration } from '@mikro-orm/migrations';

/** People and the states they are in. */
export default class Users extends Migration {
  override name = '0005-users';

  override up(): void {
    this.addSql(`create table user_account (
      id uuid primary key,
      state text not null check (state in
        ('Created','Unverified','PasswordResetRequired','Active','Suspended','Deactivated','Deleted')),
      state_before text,
      state_changed_at timestamptz not null,
      state_reason text,
      email text,
      email_key text,
      email_verified_at timestamptz,
      administrator boolean not null default false,
      name text,
      given_name text,
      family_name text,
      locale text,
      profile jsonb not null default '{}',
      terms_version text,
      terms_accepted_at timestamptz,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      version integer not null default 1
    )`);
    // A deleted account can be recovered, but it does not keep its address from being used again.
    this.addSql(`create unique index user_account_email_key on user_account (email_key) where state <> 'Deleted'`);
    this.addSql(`create index user_account_administrator on user_account (id) where administrator`);
    this.addSql(`create table consent (
      account_id uuid not null,
      client_id text not null,
      scopes text[] not null default '{}',
      claims text[] not null default '{}',
      resource_scopes jsonb not null default '{}',
      given_at timestamptz not null,
      primary key (account_id, client_id)
    )`);
  }
}
