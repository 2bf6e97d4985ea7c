import { Migration } from '@mikro-orm/migrations';

/** How far the proof of somebody's identity has come: whoever checks it says so. */
export default class Identity extends Migration {
  override name = '0020-identity';

  override up(): void {
    this.addSql(`alter table user_account
      add column identity_status text not null default 'none'
        check (identity_status in ('none', 'pending', 'verified', 'rejected', 'expired')),
      add column identity_status_at timestamptz`);
    this.addSql(`create index user_account_identity on user_account (identity_status, created_at, id)
      where identity_status <> 'none'`);
  }
}
