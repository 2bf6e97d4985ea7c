import { Migration } from '@mikro-orm/migrations';

/** Signing keys; the stage of each follows from its three moments. */
export default class Keys extends Migration {
  override name = '0002-keys';

  override up(): void {
    this.addSql(`create table signing_key (
      kid text primary key,
      alg text not null,
      public_jwk jsonb not null,
      sealed_private text,
      created_at timestamptz not null,
      signs_from timestamptz not null,
      retires_from timestamptz,
      gone_from timestamptz,
      check (gone_from is null or retires_from is not null),
      check (sealed_private is not null or gone_from is not null)
    )`);
    this.addSql(`create index signing_key_gone on signing_key (gone_from)`);
  }
}
