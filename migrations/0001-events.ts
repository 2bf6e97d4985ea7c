import { Migration } from '@mikro-orm/migrations';

/** What happened, what is still to be told, and when each periodic work last ran. */
export default class Events extends Migration {
  override name = '0001-events';

  override up(): void {
    this.addSql(`create table audit_event (
      id uuid primary key,
      type text not null,
      at timestamptz not null,
      actor_kind text not null,
      actor_id text,
      subject uuid,
      client text,
      ip text,
      user_agent text,
      reason text,
      data jsonb,
      position bigint unique,
      digest text,
      check ((position is null) = (digest is null))
    )`);
    this.addSql(`create index audit_event_subject on audit_event (subject, id) where subject is not null`);
    this.addSql(`create index audit_event_actor on audit_event (actor_id, id) where actor_id is not null`);
    this.addSql(`create index audit_event_type on audit_event (type, id)`);
    this.addSql(`create index audit_event_open on audit_event (id) where position is null`);
    // The one change ever allowed: taking a row into the chain, once, with nothing else in it altered.
    this.addSql(`create function audit_event_guard() returns trigger language plpgsql as $$
      begin
        if tg_op = 'UPDATE' and old.position is null and new.position is not null
          and to_jsonb(new) - 'position' - 'digest' = to_jsonb(old) - 'position' - 'digest'
        then
          return new;
        end if;
        raise exception 'the audit journal is append-only' using errcode = 'insufficient_privilege';
      end $$`);
    this.addSql(`create trigger audit_event_append_only before update or delete on audit_event
      for each row execute function audit_event_guard()`);
    this.addSql(`create trigger audit_event_no_truncate before truncate on audit_event
      for each statement execute function audit_event_guard()`);
    this.addSql(`create table audit_chain (
      sole boolean primary key default true check (sole),
      key text not null,
      position bigint not null,
      digest text not null
    )`);

    // One time tells when a message may be taken: first try, lease and retry all move due_at.
    this.addSql(`create table outbox (
      id bigint generated always as identity primary key,
      message uuid not null unique,
      topic text not null,
      key text,
      payload text not null,
      sealed boolean not null,
      created_at timestamptz not null,
      due_at timestamptz not null,
      attempts integer not null default 0,
      parked_at timestamptz,
      failure text
    )`);
    this.addSql(`create index outbox_due on outbox (topic, due_at, id) where parked_at is null`);
    this.addSql(`create index outbox_order on outbox (topic, key, id) where parked_at is null and key is not null`);
    this.addSql(`create index outbox_parked on outbox (parked_at) where parked_at is not null`);

    this.addSql(`create table job (name text primary key, started_at timestamptz not null)`);
  }
}
