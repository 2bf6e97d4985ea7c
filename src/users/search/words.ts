import type { Db } from '../../platform/db/index.ts';
import { type Clock, secondsAfter } from '../../platform/index.ts';

/** Rows read in one statement. */
const batch = 20_000;
/** A transaction that began so long ago may still add people of then. */
const margin = 10 * 60;

/** Letters only: of an address the parts that are words. */
export const lettersOf = (text: string): string[] => [...new Set(text.match(/\p{L}{3,30}/gu) ?? [])];

/**
 * The words of names and addresses. Comparing a mistyped word with a hundred thousand words is quick, with a million
 * people's texts it is not. One process at a time learns them, by a job: added with each account, they would make those
 * who create people of one name wait for each other.
 */
export function createWords({ db, clock }: { db: Db; clock: Clock }) {
  /** Reads who was made since then, oldest first. */
  const learn = async (since: Date, signal?: AbortSignal): Promise<boolean> => {
    let after = { at: since.toISOString(), id: '00000000-0000-0000-0000-000000000000' };
    for (;;) {
      if (signal?.aborted) return false;
      const [last] = await db.query<{ at: string | null; id: string | null; people: number }>(
        `with people as (
           select created_at, id, search_text from user_account
           where state <> 'Deleted' and (created_at, id) > ($1::timestamptz, $2::uuid)
           order by created_at, id limit ${batch}),
         learnt as (
           insert into user_word (word, seen_at)
             select distinct word, $3::timestamptz
             from people, regexp_split_to_table(search_text, '[^[:alpha:]]+') as word
             where length(word) between 3 and 30
           on conflict (word) do update set seen_at = excluded.seen_at where user_word.seen_at < excluded.seen_at)
         select created_at::text as at, id, (select count(*)::int from people) as people
         from people order by created_at desc, id desc limit 1`,
        [after.at, after.id, clock.now()],
      );
      if (!last) return true;
      after = { at: last.at!, id: last.id! };
      if (last.people < batch) return true;
    }
  };

  return {
    /** The words of people made since the last time; for a job, every few minutes. */
    async learn(signal?: AbortSignal): Promise<void> {
      const [row] = await db.query<{ at: string | null }>('select max(seen_at) as at from user_word');
      await learn(row?.at ? secondsAfter(new Date(row.at), -margin) : new Date(0), signal);
    },

    /** All words anew, without those that nobody has any more; for a job, once a day. */
    async relearn(signal?: AbortSignal): Promise<void> {
      const started = clock.now();
      if (await learn(new Date(0), signal)) await db.query('delete from user_word where seen_at < $1', [started]);
    },

    /** The words most like each of these, the word itself among them when it is one. */
    async like(words: readonly string[]): Promise<string[][]> {
      const rows = await db.query<{ asked: number; word: string }>(
        `select a.position::int as asked, l.word
         from unnest($1::text[]) with ordinality as a (word, position),
           lateral (select w.word, similarity(w.word, search_key(a.word)) as likeness from user_word w
             where w.word % search_key(a.word) order by likeness desc, w.word limit 3) l
         order by a.position, l.likeness desc`,
        [words],
      );
      return words.map((_, index) => rows.filter(({ asked }) => asked === index + 1).map(({ word }) => word));
    },
  };
}

export type Words = ReturnType<typeof createWords>;
