import { Migration } from '@mikro-orm/migrations';

/** Sign-in through others: the providers that are trusted, who is known by them, and the sessions that came from them. */
export default class Federation extends Migration {
  override name = '0013-federation';

  override up(): void {
    // Whatever is secret of a provider (client secret, private key) stands sealed in one column, as JSON.
    this.addSql(`create table identity_provider (
      id text primary key,
      kind text not null,
      definition jsonb not null,
      sealed_secrets text,
      position integer not null default 0,
      created_at timestamptz not null,
      updated_at timestamptz not null
    )`);
    // An upstream identity is (issuer, subject), never an address: those are given away, typed wrong and reused.
    this.addSql(`create table upstream_identity (
      id uuid primary key,
      provider_id text not null references identity_provider (id) on delete cascade,
      issuer text not null,
      subject text not null,
      account_id uuid not null,
      label text,
      sealed_tokens text,
      linked_at timestamptz not null,
      last_used_at timestamptz,
      unique (issuer, subject)
    )`);
    this.addSql(`create index upstream_identity_account on upstream_identity (account_id)`);
    this.addSql(`create index upstream_identity_provider on upstream_identity (provider_id)`);
    // Which of our sessions stand on which upstream session: what an upstream's logout ends.
    this.addSql(`create table federated_session (
      session_uid text primary key,
      identity_id uuid not null references upstream_identity (id) on delete cascade,
      provider_id text not null,
      issuer text not null,
      subject text not null,
      upstream_sid text,
      sealed_id_token text,
      began_at timestamptz not null,
      expires_at timestamptz not null
    )`);
    this.addSql(`create index federated_session_subject on federated_session (issuer, subject)`);
    this.addSql(`create index federated_session_sid on federated_session (issuer, upstream_sid)
      where upstream_sid is not null`);
    this.addSql(`create index federated_session_identity on federated_session (identity_id)`);
    this.addSql(`create index federated_session_expires on federated_session (expires_at)`);
  }
}
