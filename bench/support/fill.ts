import { Redis } from 'ioredis';
import type { Pool } from 'pg';

/**
 * Has as many live sessions in the store as are wanted, each with its grant, refresh token and what lies in Redis, by copying
 * those that sign-ins have just made: in PostgreSQL for other people each, in Redis under other names.
 */
export async function fillSessions(options: {
  pool: Pool;
  redis: string | undefined;
  sessions: number;
}): Promise<void> {
  const { pool, redis, sessions } = options;
  const columns = async (table: string, changed: Record<string, string>) => {
    const { rows } = await pool.query(
      `select column_name from information_schema.columns where table_name = $1 and is_generated = 'NEVER'
        order by ordinal_position`,
      [table],
    );
    const names = rows.map(({ column_name }) => column_name as string);
    return { into: names.join(', '), from: names.map((name) => changed[name] ?? `t.${name}`).join(', ') };
  };
  const copy = async (table: string, key: string, changed: Record<string, string>) => {
    const { into, from } = await columns(table, changed);
    await pool.query(
      `with whose as (select id, row_number() over () as n from (select id from user_account limit ${sessions}) u),
         t as (select *, row_number() over (order by ${key}) - 1 as nth, count(*) over () as among from ${table})
       insert into ${table} (${into}) select ${from} from whose join t on t.nth = whose.n % t.among`,
    );
  };
  const other = (column: string) => `md5(t.${column} || whose.n)`;
  await copy('session', 'uid', { uid: other('uid'), account_id: 'whose.id' });
  await copy('authorization_grant', 'id', { id: other('id'), account_id: 'whose.id' });
  const { into, from } = await columns('refresh_token', { hash: 'md5(t.hash || g.id)', grant_id: 'g.id' });
  await pool.query(
    `insert into refresh_token (${into})
     select ${from} from authorization_grant g cross join lateral (
       select * from refresh_token limit 1) t where length(g.id) = 32`,
  );
  // At once, instead of by autovacuum in the middle of what is measured.
  await pool.query('vacuum (analyze)');
  await pool.query('checkpoint');
  if (redis) await copyKeys(redis, sessions);
}

async function copyKeys(url: string, sessions: number): Promise<void> {
  const redis = new Redis(url, { enableAutoPipelining: true });
  const keys = (await redis.keys('*')).filter((key) => !key.includes('limit'));
  const times = Math.ceil((4 * sessions) / keys.length);
  for (const key of keys) {
    const copies = Array.from({ length: times }, (_, nth) => redis.copy(key, `${key}:${nth}`));
    await Promise.all(copies);
  }
  redis.disconnect();
}
