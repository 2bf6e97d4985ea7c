import { Migration } from '@mikro-orm/migrations';

/** What the REST API keeps, and what finding and counting a million people needs. */
export default class Api extends Migration {
  override name = '0016-api';

  override up(): void {
    // Answers to requests with an Idempotency-Key, sealed; forgotten after a day.
    this.addSql(`create table kept_answer (
      name text primary key,
      request text not null,
      answer text not null,
      expires_at timestamptz not null
    )`);
    this.addSql(`create index kept_answer_expires on kept_answer (expires_at)`);
  }
}
