import { Migration } from '@mikro-orm/migrations';

/** What a recipient may still be sent, and development's mailbox. */
export default class Mailbox extends Migration {
  override name = '0007-mailbox';

  override up(): void {
    // The recipient is kept as a MAC; full_at is the moment at which the budget is whole again.
    this.addSql(`create table letter_budget (recipient text primary key, full_at timestamptz not null)`);
    this.addSql(`create index letter_budget_full on letter_budget (full_at)`);
    this.addSql(`create table mailbox_letter (
      id uuid primary key,
      recipient text not null,
      recipient_key text not null,
      sender text not null,
      letter text not null,
      locale text not null,
      subject text not null,
      text text not null,
      html text not null,
      received_at timestamptz not null
    )`);
    this.addSql(`create index mailbox_letter_recipient on mailbox_letter (recipient_key, received_at desc)`);
    this.addSql(`create index mailbox_letter_received on mailbox_letter (received_at desc)`);
  }
}
