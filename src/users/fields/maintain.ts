import type { Db } from '../../platform/db/index.ts';
import type { Field } from './definition.ts';

/**
 * How a field is compared in SQL:
 *
 * - `text` without its case, in the order of code points: `= lower($1)`, `like lower($1) || '%'`, `<`
 * - `json` as what it is, numbers by their value: `= $1::jsonb`, `< $1::jsonb`
 * - `list` by what it holds: `@> jsonb_build_array($1::text)`
 */
export const comparesAs = (type: Field['type']): 'text' | 'json' | 'list' =>
  type === 'strings' ? 'list' : ['integer', 'number', 'boolean', 'date'].includes(type) ? 'json' : 'text';

/**
 * The expression of a field, for `where` and `order by`: the one that is indexed when the field is searchable. Only for
 * fields that were declared, whose names need no quoting.
 * @param table name or alias of `user_account` in the statement
 */
export const fieldExpression = ({ name, type }: Pick<Field, 'name' | 'type'>, table = 'user_account'): string =>
  comparesAs(type) === 'text'
    ? `(lower(${table}.attributes->>'${name}') collate "C")`
    : `(${table}.attributes->'${name}')`;

const indexName = (name: string): string => `user_field_${name}`;

const batch = 5_000;

/**
 * Makes the indexes that searchable fields want, drops those that none wants any more, and clears the values of fields
 * that were removed. Indexes are built `concurrently`, so that nobody's change waits for them; that takes a connection
 * outside of any transaction. One process at a time: the job sees to that.
 */
export async function maintainFields(db: Db, signal?: AbortSignal): Promise<void> {
  await tidyIndexes(db);
  const removed = await db.query<{ name: string }>('select name from custom_field where removed_at is not null');
  for (const { name } of removed) {
    if (!(await clearValues(db, name, signal))) return;
    await db.query('delete from custom_field where name = $1 and removed_at is not null', [name]);
  }
}

async function tidyIndexes(db: Db): Promise<void> {
  const fields = await db.query<{ definition: Field }>('select definition from custom_field where removed_at is null');
  const wanted = new Map(
    fields
      .filter(({ definition }) => definition.searchable)
      .map(({ definition }) => [indexName(definition.name), definition]),
  );
  const present = await db.query<{ name: string; valid: boolean }>(
    `select c.relname as name, i.indisvalid as valid from pg_index i
     join pg_class c on c.oid = i.indexrelid
     where i.indrelid = 'user_account'::regclass and c.relname like 'user\\_field\\_%'`,
  );
  // One that was interrupted is there and of no use.
  const good = new Set(present.filter(({ name, valid }) => valid && wanted.has(name)).map(({ name }) => name));
  const statements = [
    ...present.filter(({ name }) => !good.has(name)).map(({ name }) => `drop index concurrently if exists ${name}`),
    ...[...wanted].filter(([name]) => !good.has(name)).map(([name, field]) => createIndex(name, field)),
  ];
  if (statements.length === 0) return;
  const client = await db.pool.connect();
  try {
    // A million people take longer than a request may.
    await client.query('set statement_timeout = 0');
    for (const text of statements) await client.query({ text, query_timeout: 3_600_000 } as never);
  } finally {
    // The connection had its settings changed: it is not given back.
    client.release(true);
  }
}

/** Only of those who have a value; every comparison implies that there is one, so the planner sees that the index serves. */
function createIndex(index: string, { name, type }: Field): string {
  const on = `create index concurrently ${index} on user_account`;
  const expression = fieldExpression({ name, type });
  return comparesAs(type) === 'list'
    ? `${on} using gin (${expression} jsonb_path_ops) where attributes->'${name}' is not null`
    : `${on} (${expression}, id) where attributes->${comparesAs(type) === 'text' ? '>' : ''}'${name}' is not null`;
}

/** @returns false when it was stopped before the end */
async function clearValues(db: Db, name: string, signal?: AbortSignal): Promise<boolean> {
  let after = '00000000-0000-0000-0000-000000000000';
  for (;;) {
    if (signal?.aborted) return false;
    const [page] = await db.query<{ last: string | null }>(
      `with page as (select id from user_account where id > $2 order by id limit ${batch}),
            cleared as (update user_account u set attributes = attributes - $1 from page
                        where u.id = page.id and u.attributes ? $1 returning 1)
       select max(id::text) as last from page`,
      [name, after],
    );
    if (!page?.last) return true;
    after = page.last;
  }
}
