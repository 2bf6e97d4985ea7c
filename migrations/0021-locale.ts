import { Migration } from '@mikro-orm/migrations';

/** People of a language that few have are found without walking through everybody. */
export default class Locale extends Migration {
  override name = '0021-locale';

  override up(): void {
    this.addSql(`create index user_account_locale on user_account (locale, created_at, id) where locale is not null`);
  }
}
