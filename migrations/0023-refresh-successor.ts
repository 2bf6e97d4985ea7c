import { Migration } from '@mikro-orm/migrations';

/** By which token a used one was followed: whoever sends it again within the window is given the answer that brought that. */
export default class RefreshSuccessor extends Migration {
  override name = '0023-refresh-successor';

  override up(): void {
    this.addSql('alter table refresh_token add column successor text');
  }
}
