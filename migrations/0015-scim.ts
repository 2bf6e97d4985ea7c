import { Migration } from '@mikro-orm/migrations';

/** What directories ask for all day, found by an index: addresses beside the primary one, beginnings of user names. */
export default class Scim extends Migration {
  override name = '0015-scim';

  override up(): void {
    this.addSql(
      `create index user_account_directory_emails on user_account using gin ((directory -> 'emails') jsonb_path_ops)`,
    );
    this.addSql(`create index user_account_user_name_prefix
      on user_account (coalesce(user_name_key, email_key) text_pattern_ops) where state <> 'Deleted'`);
    this.addSql(`create index user_account_provisioning_domain
      on user_account (provisioning_domain, id) where provisioning_domain is not null`);
  }
}
