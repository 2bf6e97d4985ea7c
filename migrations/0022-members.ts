import { Migration } from '@mikro-orm/migrations';

/** Which groups somebody is in is read from the index alone: a list of a group's people that is walked asks that of each. */
export default class Members extends Migration {
  override name = '0022-members';

  override up(): void {
    this.addSql(`drop index group_member_member`);
    this.addSql(`create index group_member_member on group_member (member_id, group_id)`);
  }
}
