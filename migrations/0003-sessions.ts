import { Migration } from '@mikro-orm/migrations';

/** What was granted and still stands: sessions, grants, refresh tokens (durable) and what may be lost (fleeting). */
export default class Sessions extends Migration {
  override name = '0003-sessions';

  override up(): void {
    // `authorizations` is what the protocol engine keeps for each application: {clientId: {sid, grantId, …}}.
    this.addSql(`create table session (
      uid text primary key,
      account_id uuid not null,
      created_at timestamptz not null,
      seen_at timestamptz not null,
      expires_at timestamptz not null,
      auth_time timestamptz not null,
      acr text,
      amr text[],
      remember boolean not null,
      ip text,
      user_agent text,
      authorizations jsonb not null default '{}',
      ended_at timestamptz,
      ended_reason text
    )`);
    this.addSql(`create index session_account on session (account_id) where ended_at is null`);
    this.addSql(`create index session_expires on session (expires_at)`);
    this.addSql(`create index session_ended on session (ended_at) where ended_at is not null`);

    // Payloads are json, not jsonb: they may carry U+0000, which a client is free to send and jsonb refuses.
    this.addSql(`create table authorization_grant (
      id text primary key,
      account_id uuid not null,
      client_id text not null,
      payload json not null,
      created_at timestamptz not null,
      expires_at timestamptz not null,
      ended_at timestamptz,
      ended_reason text
    )`);
    this.addSql(`create index authorization_grant_account on authorization_grant (account_id) where ended_at is null`);
    this.addSql(`create index authorization_grant_client on authorization_grant (client_id) where ended_at is null`);
    this.addSql(`create index authorization_grant_expires on authorization_grant (expires_at)`);
    this.addSql(`create index authorization_grant_ended on authorization_grant (ended_at) where ended_at is not null`);

    this.addSql(`create table refresh_token (
      hash text primary key,
      grant_id text not null references authorization_grant (id) on delete cascade,
      payload json not null,
      expires_at timestamptz not null,
      consumed_at timestamptz
    )`);
    this.addSql(`create index refresh_token_grant on refresh_token (grant_id)`);
    this.addSql(`create index refresh_token_expires on refresh_token (expires_at)`);
    this.addSql(`create index refresh_token_consumed on refresh_token (consumed_at) where consumed_at is not null`);

    this.addSql(`create table registration_token (
      hash text primary key,
      model text not null,
      client_id text,
      payload json not null,
      expires_at timestamptz
    )`);
    this.addSql(`create index registration_token_client on registration_token (client_id)`);
    this.addSql(`create index registration_token_expires on registration_token (expires_at)`);

    this.addSql(`create table revoked_jwt (
      hash text primary key,
      expires_at timestamptz not null
    )`);
    this.addSql(`create index revoked_jwt_expires on revoked_jwt (expires_at)`);

    // Unlogged: written at each request, worth nothing after a crash. Used when there is no Redis.
    this.addSql(`create unlogged table fleeting (
      key text primary key,
      value text not null,
      used_at timestamptz,
      expires_at timestamptz not null
    ) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05)`);
    this.addSql(`create index fleeting_expires on fleeting (expires_at)`);
  }
}
