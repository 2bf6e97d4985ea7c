import { type Clock, secondsAfter } from '../clock.ts';
import type { Db } from '../db/index.ts';
import type { KeyValue } from './key-value.ts';

const batch = 1_000;
const batchesAtOnce = 20;

/**
 * Over the unlogged table `fleeting`: no write-ahead log, so no disk flush at each token. A crash of the database
 * server empties it, as a restart of Redis would; a clean stop does not. Joins the open transaction, if there is one.
 */
export function createPostgresKeyValue({ db, clock }: { db: Db; clock: Clock }): KeyValue {
  const seconds = (moment: string) => Math.floor(new Date(moment).getTime() / 1000);

  const store: KeyValue = {
    async put(key, value, ttl) {
      if (ttl <= 0) return store.remove(key);
      const now = clock.now();
      await db.query(
        `insert into fleeting (key, value, expires_at) values ($1, $2, $3)
         on conflict (key) do update set value = excluded.value, expires_at = excluded.expires_at,
           used_at = case when fleeting.expires_at > $4 then fleeting.used_at end`,
        [key, value, secondsAfter(now, ttl), now],
        'fleeting-put',
      );
    },
    async add(key, value, ttl) {
      const now = clock.now();
      const rows = await db.query(
        `insert into fleeting (key, value, expires_at) values ($1, $2, $3)
         on conflict (key) do update set value = excluded.value, expires_at = excluded.expires_at, used_at = null
           where fleeting.expires_at <= $4
         returning 1`,
        [key, value, secondsAfter(now, ttl), now],
        'fleeting-add',
      );
      return rows.length === 1;
    },
    get: async (key) => (await store.read(key))?.value,
    async read(key) {
      const [row] = await db.query<{ value: string; used_at: string | null }>(
        `select value, used_at from fleeting where key = $1 and expires_at > $2`,
        [key, clock.now()],
        'fleeting-read',
      );
      return row && { value: row.value, usedAt: row.used_at ? seconds(row.used_at) : undefined };
    },
    async use(key) {
      const rows = await db.query(
        `update fleeting set used_at = $2 where key = $1 and used_at is null and expires_at > $2 returning 1`,
        [key, clock.now()],
        'fleeting-use',
      );
      return rows.length === 1;
    },
    async take(key) {
      const [row] = await db.query<{ value: string; live: boolean }>(
        `delete from fleeting where key = $1 returning value, expires_at > $2 as live`,
        [key, clock.now()],
        'fleeting-take',
      );
      return row?.live ? row.value : undefined;
    },
    async remove(key) {
      await db.query(`delete from fleeting where key = $1`, [key], 'fleeting-remove');
    },
    async cleanUp() {
      let deleted = 0;
      for (let round = 0; round < batchesAtOnce; round++) {
        const rows = await db.query(
          `delete from fleeting where key in (
             select key from fleeting where expires_at <= $1 limit ${batch} for update skip locked) returning 1`,
          [clock.now()],
        );
        deleted += rows.length;
        if (rows.length < batch) break;
      }
      return deleted;
    },
  };
  return store;
}
