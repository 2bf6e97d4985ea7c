import { Migration } from '@mikro-orm/migrations';

/** Which organisation a person chose for an application, where they are in several and it named none; and who looks after one. */
export default class Organisations extends Migration {
  override name = '0018-organisations';

  override up(): void {
    // It goes with the grant by age (a job), since grants live in another room.
    this.addSql(`create table organisation_choice (
      grant_id text primary key,
      organisation_id uuid not null references organisation (id) on delete cascade,
      chosen_at timestamptz not null
    )`);
    this.addSql(`insert into permission (name, description)
      values ('organisation.manage', 'Look after an organisation: its members, invitations, domains and rules')
      on conflict do nothing`);
  }
}
