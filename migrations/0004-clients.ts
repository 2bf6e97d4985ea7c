import { Migration } from '@mikro-orm/migrations';

/** Applications that trust us, their secrets, and the resource servers tokens are made for. */
export default class Clients extends Migration {
  override name = '0004-clients';

  override up(): void {
    this.addSql(`create table client (
      client_id text primary key,
      metadata jsonb not null,
      disabled_at timestamptz,
      created_at timestamptz not null,
      updated_at timestamptz not null
    )`);
    this.addSql(`create table client_secret (
      id uuid primary key,
      client_id text not null references client on delete cascade,
      secret_hash text not null,
      hint text not null,
      created_at timestamptz not null,
      expires_at timestamptz,
      unique (client_id, secret_hash)
    )`);
    this.addSql(`create table resource_server (
      identifier text primary key,
      name text not null,
      scopes jsonb not null,
      token_format text not null check (token_format in ('opaque', 'jwt')),
      token_ttl integer,
      signing_alg text,
      client_ids text[] not null default '{}',
      created_at timestamptz not null,
      updated_at timestamptz not null
    )`);
  }
}
