import type { Db } from '../platform/db/index.ts';
import { User } from './user.ts';

/**
 * The columns of `user_account` that are written, with their types: what writes and reads whole accounts by statements of
 * its own is made of this list.
 */
export const accountColumns = {
  id: 'uuid',
  state: 'text',
  state_before: 'text',
  state_changed_at: 'timestamptz',
  state_reason: 'text',
  email: 'text',
  email_key: 'text',
  email_verified_at: 'timestamptz',
  administrator: 'boolean',
  name: 'text',
  given_name: 'text',
  family_name: 'text',
  locale: 'text',
  profile: 'jsonb',
  user_name: 'text',
  user_name_key: 'text',
  external_id: 'text',
  provisioning_domain: 'text',
  attributes: 'jsonb',
  directory: 'jsonb',
  settings: 'jsonb',
  last_sign_in_at: 'timestamptz',
  terms_version: 'text',
  terms_accepted_at: 'timestamptz',
  created_at: 'timestamptz',
  updated_at: 'timestamptz',
} as const;

/** The account's name of a column. */
export const fieldOf = (column: string): string =>
  column.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

const written = Object.entries(accountColumns).map(([column, type]) => ({ column, type, field: fieldOf(column) }));

/** What only changes of an account write. */
const later = [
  { column: 'identity_status', type: 'text', field: 'identityStatus' },
  { column: 'identity_status_at', type: 'timestamptz', field: 'identityStatusAt' },
  { column: 'version', type: 'integer', field: 'version' },
];
const read = [...written, ...later];
const times = read.filter(({ type }) => type === 'timestamptz');

const insertion = `insert into user_account (${written.map(({ column }) => column).join(', ')})
  values (${written.map((_, index) => `$${index + 1}`).join(', ')})`;

/** Writes somebody new, in the open transaction. Whoever is loaded and changed is written by the unit of work. */
export async function insertAccount(db: Db, user: User): Promise<void> {
  const values = user as unknown as Record<string, unknown>;
  const params = written.map(({ field, type }) => (type === 'jsonb' ? JSON.stringify(values[field]) : values[field]));
  await db.query(insertion, params, 'user-insert');
}

/** The people with these ids, in their order, to be shown: a change of them would be lost. */
export async function readAccounts(db: Db, ids: readonly string[]): Promise<User[]> {
  if (ids.length === 0) return [];
  const rows = await db.query<Record<string, unknown>>(
    `select ${read.map(({ column, field }) => `u.${column} as "${field}"`).join(', ')}
     from unnest($1::uuid[]) with ordinality as asked (id, place) join user_account u on u.id = asked.id order by place`,
    [ids],
    'user-read-many',
  );
  return rows.map((row) => {
    for (const { field } of times) if (row[field] !== null) row[field] = new Date(row[field] as string);
    // Not assigned to a new one: the unit of work would be told of each field.
    return Object.setPrototypeOf(row, User.prototype) as User;
  });
}
