import { Migration } from '@mikro-orm/migrations';

/** Long work that outlives requests and processes, and what an import needs beside it. */
export default class Tasks extends Migration {
  override name = '0017-tasks';

  override up(): void {
    // `owner` names one turn of one process: what is committed for the task is committed under it or not at all.
    this.addSql(`create table task (
      id uuid primary key,
      kind text not null,
      input jsonb not null,
      state text not null check (state in ('queued','running','done','failed','cancelled')),
      total bigint,
      done bigint not null default 0,
      failed bigint not null default 0,
      tally jsonb not null default '{}',
      checkpoint jsonb,
      error jsonb,
      started_by jsonb not null,
      owner uuid,
      lease_until timestamptz,
      take_overs integer not null default 0,
      created_at timestamptz not null,
      started_at timestamptz,
      updated_at timestamptz not null,
      ended_at timestamptz
    )`);
    this.addSql(`create index task_waiting on task (kind, created_at) where state in ('queued','running')`);
    this.addSql(`create index task_ended on task (ended_at) where ended_at is not null`);
    this.addSql(`create table task_result (
      task_id uuid not null references task (id) on delete cascade,
      position bigint not null,
      outcome text not null,
      code text,
      item text,
      details jsonb,
      primary key (task_id, position)
    )`);
    this.addSql(`create index task_result_failed on task_result (task_id, position) where outcome = 'failed'`);

    // What is to be imported, until it is: in pieces, each sealed, since passwords' hashes and secrets stand in it.
    this.addSql(`create table import_piece (
      task_id uuid not null,
      starts_at bigint not null,
      length integer not null,
      sealed text not null,
      primary key (task_id, starts_at)
    )`);

    // What some systems keep apart from their hashes: Firebase's signer key, an application's pepper.
    this.addSql(`create table password_key (
      id text primary key,
      sealed text not null,
      created_at timestamptz not null
    )`);
    // Those of another system, or made at another cost than is usual here, until their owners sign in.
    this.addSql(`create index password_foreign on password (user_id)
      where hash not like '$argon2id$v=19$m=19456,t=2,p=1$%'`);
  }
}
