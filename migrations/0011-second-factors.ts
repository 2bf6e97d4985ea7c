import { Migration } from '@mikro-orm/migrations';

/** What is proved beside the password: authenticator apps, recovery codes, devices that need not; and the links of notices. */
export default class SecondFactors extends Migration {
  override name = '0011-second-factors';

  override up(): void {
    // `last_step` is the newest time step a code was accepted for; none at or before it is accepted again.
    this.addSql(`create table totp (
      user_id uuid primary key,
      secret text not null,
      last_step bigint not null,
      created_at timestamptz not null,
      used_at timestamptz
    )`);
    this.addSql(`create table recovery_code (
      user_id uuid not null,
      mac text not null,
      issued_at timestamptz not null,
      used_at timestamptz,
      primary key (user_id, mac)
    )`);
    this.addSql(`create table remembered_device (
      id uuid primary key,
      user_id uuid not null,
      hash text not null unique,
      user_agent text,
      ip text,
      created_at timestamptz not null,
      used_at timestamptz not null,
      expires_at timestamptz not null
    )`);
    this.addSql(`create index remembered_device_user on remembered_device (user_id)`);
    this.addSql(`create index remembered_device_expires on remembered_device (expires_at)`);
    this.addSql(`create table security_notice (
      link_hash text primary key,
      user_id uuid not null,
      what text not null,
      sent_at timestamptz not null,
      expires_at timestamptz not null,
      used_at timestamptz
    )`);
    this.addSql(`create index security_notice_user on security_notice (user_id)`);
    this.addSql(`create index security_notice_expires on security_notice (expires_at)`);
  }
}
