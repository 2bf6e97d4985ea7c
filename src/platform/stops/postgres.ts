import type { Clock } from '../clock.ts';
import type { Db } from '../db/index.ts';
import { type Journal, readTogether } from './journal.ts';

/** What of the journal is read at once; who is further behind forgets everything instead. */
const mostEntries = 10_000;

/** The journal's truth: rows of the transactions that stop things, so a stop and its entry are seen at one moment. */
export interface DurableJournal extends Journal {
  /** The last thing a transaction does: until its commit nobody else stops anything. @returns the entry's number */
  write(names: readonly string[]): Promise<number>;
  /** Whose journal it is. */
  installation(): Promise<string>;
  /** Waits for those that are between their entry and their commit. @throws when that takes longer than a moment */
  barrier(): Promise<void>;
  /** Deletes entries that nobody can be behind of. */
  tidy(): Promise<void>;
}

export function createPostgresJournal({ db, clock }: { db: Db; clock: Clock }): DurableJournal {
  const head = async (): Promise<string> => {
    const [row] = await db.query<{ n: string }>('select n from stop_head', [], 'stop-head');
    return String(row!.n);
  };

  return {
    read: readTogether(async (keys) => {
      if (keys.length === 0) return { head: await head(), values: [] };
      const rows = await db.query<{ key: string | null; value: string }>(
        `select null as key, n::text as value from stop_head
         union all select key, value from fleeting where key = any($1::text[]) and expires_at > $2`,
        [keys, clock.now()],
        'stop-read',
      );
      const found = new Map(rows.map(({ key, value }) => [key, value]));
      return { head: found.get(null), values: keys.map((key) => found.get(key)) };
    }),

    async since(known) {
      const rows = await db.query<{ n: string; names: string[] }>(
        `select n, names from stop_journal where n > $1 order by n limit ${mostEntries + 1}`,
        [known],
      );
      const whole = rows.length <= mostEntries && (rows.length === 0 || Number(rows[0]!.n) === Number(known) + 1);
      if (!whole || (rows.length === 0 && (await head()) !== known)) return undefined;
      return rows.map(({ n, names }) => ({ head: String(n), n: Number(n), names, isCommitted: true }));
    },

    begin: head,

    async write(names) {
      const [row] = await db.query<{ n: string }>(
        `with head as (update stop_head set n = n + 1 returning n)
         insert into stop_journal (n, names, at) select n, $1::text[], $2 from head returning n`,
        [names, clock.now()],
      );
      return Number(row!.n);
    },

    async installation() {
      const [row] = await db.query<{ id: string }>('select id from stop_head');
      return row!.id;
    },

    async barrier() {
      await db.query(
        `do $$ begin perform set_config('lock_timeout', '1000', true); perform n from stop_head for update; end $$`,
      );
    },

    async tidy() {
      const before = new Date(clock.now().getTime() - 3_600_000);
      await db.query('delete from stop_journal where at < $1 and n < (select n from stop_head)', [before]);
    },
  };
}
