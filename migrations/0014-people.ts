import { Migration } from '@mikro-orm/migrations';

/** What people look after themselves: pictures, a new address, codes that are sent to them; and ways back when they lost all. */
export default class People extends Migration {
  override name = '0014-people';

  override up(): void {
    // The bytes stand in the object store under this name; one picture a person.
    this.addSql(`create table picture (
      name text primary key,
      account_id uuid not null unique,
      created_at timestamptz not null
    )`);

    this.addSql(`alter table one_time_proof drop constraint one_time_proof_purpose_check`);
    this.addSql(`alter table one_time_proof add constraint one_time_proof_purpose_check
      check (purpose in ('verify_email','reset_password','choose_password','change_email'))`);
    // The way back to an address that was given up. While it is open nobody else gets that address.
    this.addSql(`create table email_undo (
      link_hash text primary key,
      account_id uuid not null,
      email text not null,
      email_key text not null,
      changed_at timestamptz not null,
      expires_at timestamptz not null,
      used_at timestamptz
    )`);
    this.addSql(`create index email_undo_email_key on email_undo (email_key) where used_at is null`);
    this.addSql(`create index email_undo_account on email_undo (account_id)`);
    this.addSql(`create index email_undo_expires on email_undo (expires_at)`);

    // Where codes are sent as a second factor: the account's address, or a phone number that was proved.
    this.addSql(`create table code_factor (
      account_id uuid not null,
      kind text not null check (kind in ('email','sms')),
      number text,
      created_at timestamptz not null,
      used_at timestamptz,
      primary key (account_id, kind),
      check ((kind = 'sms') = (number is not null))
    )`);
    // A code that is under way: good in one place (a sign-in, a session), once.
    this.addSql(`create table sent_code (
      scope text not null,
      kind text not null check (kind in ('email','sms')),
      id uuid not null unique,
      account_id uuid not null,
      destination text not null,
      code_mac text not null,
      attempts_left smallint not null,
      sent_at timestamptz not null,
      expires_at timestamptz not null,
      used_at timestamptz,
      primary key (scope, kind)
    )`);
    this.addSql(`create index sent_code_expires on sent_code (expires_at)`);

    // An administrator's way out for who has lost every second factor; good once, and only after a while.
    this.addSql(`create table recovery_link (
      id uuid primary key,
      account_id uuid not null,
      link_hash text not null unique,
      issued_by text,
      issued_at timestamptz not null,
      works_from timestamptz not null,
      expires_at timestamptz not null,
      reminded_at timestamptz,
      used_at timestamptz,
      cancelled_at timestamptz
    )`);
    this.addSql(`create index recovery_link_account on recovery_link (account_id)`);
    this.addSql(`create index recovery_link_waiting on recovery_link (works_from)
      where used_at is null and cancelled_at is null and reminded_at is null`);
    // Who has used one makes a second factor at the next sign-in, before anything else.
    this.addSql(`create table must_enrol (
      account_id uuid primary key,
      since timestamptz not null
    )`);
  }
}
