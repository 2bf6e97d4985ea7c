import { Migration } from '@mikro-orm/migrations';

/** Passkeys: several a person, each a public key that an authenticator holds the other half of. */
export default class Passkeys extends Migration {
  override name = '0010-passkeys';

  override up(): void {
    this.addSql(`create table passkey (
      id uuid primary key,
      user_id uuid not null,
      credential_id text not null unique,
      public_key bytea not null,
      sign_count bigint not null,
      transports text[] not null,
      aaguid uuid not null,
      backup_eligible boolean not null,
      backed_up boolean not null,
      name text,
      created_at timestamptz not null,
      last_used_at timestamptz,
      copy_suspected_at timestamptz
    )`);
    this.addSql(`create index passkey_user on passkey (user_id)`);
  }
}
