import { Migration } from '@mikro-orm/migrations';

/** What makes an organisation's user service of it: what is known of people, and the groups, roles and organisations they are in. */
export default class Directory extends Migration {
  override name = '0012-directory';

  override up(): void {
    // Trusted since PostgreSQL 13: the owner of the database may create it.
    this.addSql(`create extension if not exists pg_trgm`);

    // `attributes` are the custom fields by name; `directory` is what SCIM keeps of a person that OpenID Connect has no
    // claim for; `settings` is what they chose for themselves. `user_name` is what directories know them by (SCIM's
    // userName); who has none goes by the address.
    this.addSql(`alter table user_account
      add column user_name text,
      add column user_name_key text,
      add column external_id text,
      add column provisioning_domain text,
      add column attributes jsonb not null default '{}',
      add column directory jsonb not null default '{}',
      add column settings jsonb not null default '{}',
      add column last_sign_in_at timestamptz`);
    this.addSql(`create unique index user_account_user_name_key
      on user_account (coalesce(user_name_key, email_key)) where state <> 'Deleted'`);
    this.addSql(`create index user_account_external_id on user_account (external_id) where external_id is not null`);
    this.addSql(`create index user_account_last_sign_in on user_account (last_sign_in_at)`);

    // What administrators declare of people beside the standard attributes; the values stand in user_account.attributes.
    // One that is removed stays until its values are gone, so that none comes back under a new field of its name.
    this.addSql(`create table custom_field (
      name text primary key,
      definition jsonb not null,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      removed_at timestamptz
    )`);

    this.addSql(`create table organisation (
      id uuid primary key,
      name text not null unique,
      display_name text not null,
      policy jsonb not null default '{}',
      created_at timestamptz not null,
      updated_at timestamptz not null,
      version integer not null default 1
    )`);

    // A group is the whole installation's, or an organisation's own.
    this.addSql(`create table user_group (
      id uuid primary key,
      display_name text not null,
      external_id text,
      provisioning_domain text,
      organisation_id uuid references organisation (id) on delete cascade,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      version integer not null default 1
    )`);
    this.addSql(`create index user_group_display_name on user_group (lower(display_name))`);
    this.addSql(`create index user_group_external_id on user_group (external_id) where external_id is not null`);
    this.addSql(
      `create index user_group_organisation on user_group (organisation_id) where organisation_id is not null`,
    );
    this.addSql(`create table group_member (
      group_id uuid not null references user_group (id) on delete cascade,
      member_id uuid not null,
      member_kind text not null check (member_kind in ('user', 'group')),
      added_at timestamptz not null,
      primary key (group_id, member_id)
    )`);
    this.addSql(`create index group_member_member on group_member (member_id)`);

    // A permission is a named action; a role is a set of them, of the installation or of every organisation.
    this.addSql(`create table permission (
      name text primary key,
      description text
    )`);
    this.addSql(`create table role (
      id uuid primary key,
      name text not null,
      scope text not null check (scope in ('installation', 'organisation')),
      description text,
      permissions text[] not null default '{}',
      created_at timestamptz not null,
      updated_at timestamptz not null,
      unique (scope, name)
    )`);
    this.addSql(`create table role_assignment (
      role_id uuid not null references role (id) on delete cascade,
      subject_id uuid not null,
      subject_kind text not null check (subject_kind in ('user', 'group')),
      assigned_at timestamptz not null,
      primary key (role_id, subject_id)
    )`);
    this.addSql(`create index role_assignment_subject on role_assignment (subject_id)`);

    this.addSql(`create table organisation_member (
      organisation_id uuid not null references organisation (id) on delete cascade,
      account_id uuid not null,
      joined_at timestamptz not null,
      primary key (organisation_id, account_id)
    )`);
    this.addSql(`create index organisation_member_account on organisation_member (account_id)`);
    this.addSql(`create table organisation_member_role (
      organisation_id uuid not null,
      account_id uuid not null,
      role_id uuid not null references role (id) on delete cascade,
      primary key (organisation_id, account_id, role_id),
      foreign key (organisation_id, account_id)
        references organisation_member (organisation_id, account_id) on delete cascade
    )`);
    this.addSql(`create table organisation_invitation (
      id uuid primary key,
      organisation_id uuid not null references organisation (id) on delete cascade,
      email text not null,
      email_key text not null,
      role_ids uuid[] not null default '{}',
      token_hash text not null unique,
      invited_by uuid,
      created_at timestamptz not null,
      expires_at timestamptz not null,
      accepted_at timestamptz,
      accepted_by uuid
    )`);
    this.addSql(`create index organisation_invitation_organisation on organisation_invitation (organisation_id)`);
    this.addSql(`create index organisation_invitation_address on organisation_invitation (email_key)`);
    // A domain belongs to the organisation that has proved it; until then any number may try.
    this.addSql(`create table organisation_domain (
      organisation_id uuid not null references organisation (id) on delete cascade,
      domain text not null,
      token text not null,
      proved_at timestamptz,
      checked_at timestamptz,
      -- Checks in a row that did not find the proof any more.
      failures integer not null default 0,
      created_at timestamptz not null,
      primary key (organisation_id, domain)
    )`);
    this.addSql(
      `create unique index organisation_domain_proved on organisation_domain (domain) where proved_at is not null`,
    );
  }
}
