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

    this.finding();
    this.counting();
  }

  /** Searching and sorting. Each index makes an account dearer to create: there is none that a list does not need. */
  private finding(): void {
    // How words are compared, in what is stored and in what is asked: without case and the commonest accents.
    this.addSql(`create function search_key(text) returns text language sql immutable strict parallel safe
      return translate(lower($1),
        'áàâäãåāăąçćčďéèêëēėęěğíìîïīįıłĺľñńňóòôöõøōőŕřśšşťúùûüūůűųýÿźżžß',
        'aaaaaaaaacccdeeeeeeeegiiiiiiilllnnnoooooooorrssstuuuuuuuuyyzzzs')`);
    this.addSql(`alter table user_account
      add column search_text text generated always as (search_key(
        ' ' || coalesce(user_name, '') || ' ' || coalesce(email, '') || ' ' || coalesce(name, '') || ' ' ||
        coalesce(given_name, '') || ' ' || coalesce(family_name, ''))) stored,
      add column sort_name text collate "C" generated always as (search_key(
        coalesce(nullif(name, ''), nullif(trim(coalesce(given_name, '') || ' ' || coalesce(family_name, '')), ''),
          user_name, email, ''))) stored`);
    this.addSql(`create index user_account_search on user_account using gin (search_text gin_trgm_ops)`);
    // With the text in them, a list in this order is searched without a look at the rows.
    this.addSql(
      `create index user_account_sort_name on user_account (sort_name, id) include (search_text) where state <> 'Deleted'`,
    );
    this.addSql(
      `create index user_account_created on user_account (created_at, id) include (search_text) where state <> 'Deleted'`,
    );
    this.addSql(`create index user_account_state on user_account (state, created_at, id)`);
    this.addSql(`create index user_account_phone on user_account ((profile->>'phone_number'))
      where profile->>'phone_number' is not null`);
    // The few groups inside a group, beside its many people.
    this.addSql(`create index group_member_inside on group_member (group_id, member_id) where member_kind = 'group'`);
    // Words of names and addresses, to find those that are like a word nobody has. A job learns them.
    this.addSql(`create table user_word (
      word text primary key,
      seen_at timestamptz not null
    )`);
    this.addSql(`create index user_word_like on user_word using gin (word gin_trgm_ops)`);
  }

  /**
   * Counts that are never counted: each statement that makes or changes accounts adds what it changed, in rows of its own,
   * so that nobody waits for a counter; a job folds them.
   */
  private counting(): void {
    this.addSql(`create table user_tally (
      measure text not null,
      key text not null,
      people bigint not null,
      primary key (measure, key)
    )`);
    this.addSql(`create table user_tally_change (
      measure text not null,
      key text not null,
      people bigint not null
    ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)`);
    // How much of what people tell of themselves is there: eight things, of which an address counts when it is proved.
    this.addSql(`create function user_completion(u user_account) returns text language sql immutable
      return (
        (u.email_verified_at is not null)::int + (u.sort_name <> '')::int + (u.given_name is not null)::int +
        (u.family_name is not null)::int + (u.locale is not null)::int + (u.profile ? 'picture')::int +
        (u.profile ? 'phone_number')::int + (u.profile ? 'zoneinfo')::int)::text`);
    this.addSql(`create function user_day(timestamptz) returns text language sql immutable
      return to_char($1 at time zone 'UTC', 'YYYY-MM-DD')`);
    this.addSql(`create function user_tally_note() returns trigger language plpgsql as $$
      begin
        if tg_op = 'INSERT' then
          insert into user_tally_change
            select 'state', state, count(*) from fresh group by state
            union all select 'sign_up', user_day(created_at), count(*) from fresh group by 2
            union all select 'completion', user_completion(f), count(*) from fresh f where state <> 'Deleted' group by 2;
        elsif tg_op = 'DELETE' then
          insert into user_tally_change
            select 'state', state, -count(*) from former group by state
            union all select 'completion', user_completion(f), -count(*) from former f where state <> 'Deleted' group by 2
            union all select 'last_sign_in', user_day(last_sign_in_at), -count(*)
              from former where last_sign_in_at is not null group by 2;
        else
          insert into user_tally_change
            select measure, key, sum(people) from (
              select 'state' as measure, state as key, 1 as people from fresh
              union all select 'state', state, -1 from former
              union all select 'completion', user_completion(f), 1 from fresh f where state <> 'Deleted'
              union all select 'completion', user_completion(f), -1 from former f where state <> 'Deleted'
              union all select 'last_sign_in', user_day(last_sign_in_at), 1 from fresh
              union all select 'last_sign_in', user_day(last_sign_in_at), -1 from former
              union all select 'sign_in', user_day(f.last_sign_in_at), 1 from fresh f join former b using (id)
                where f.last_sign_in_at is distinct from b.last_sign_in_at
            ) changes where key is not null group by measure, key having sum(people) <> 0;
        end if;
        return null;
      end $$`);
    this.addSql(`create trigger user_tally_insert after insert on user_account
      referencing new table as fresh for each statement execute function user_tally_note()`);
    this.addSql(`create trigger user_tally_delete after delete on user_account
      referencing old table as former for each statement execute function user_tally_note()`);
    this.addSql(`create trigger user_tally_update after update on user_account
      referencing old table as former new table as fresh for each statement execute function user_tally_note()`);
    this.addSql(`insert into user_tally (measure, key, people)
      select 'state', state, count(*) from user_account group by state
      union all select 'sign_up', user_day(created_at), count(*) from user_account group by 2
      union all select 'completion', user_completion(u), count(*) from user_account u where state <> 'Deleted' group by 2`);
  }
}
