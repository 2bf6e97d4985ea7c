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

const columns = read.map(({ column, field }) => `u.${column} as "${field}"`).join(', ');
const byId = `select ${columns} from user_account u where u.id = $1`;
const byAddress = `select ${columns} from user_account u where u.email_key = $1 and u.state <> 'Deleted'`;
const manyById = `select ${columns}
  from unnest($1::uuid[]) with ordinality as asked (id, place) join user_account u on u.id = asked.id order by place`;

/** Somebody as they stand, to be looked at: a change of them would be lost. */
export const readAccount = (db: Db, id: string): Promise<User | undefined> => readOne(db, byId, id, 'user-read');

/** The same of whoever has the address now. @param key as `emailKey` spells it */
export const readAccountAt = (db: Db, key: string): Promise<User | undefined> =>
  readOne(db, byAddress, key, 'user-read-at');

/** The people with these ids, in their order. */
export async function readAccounts(db: Db, ids: readonly string[]): Promise<User[]> {
  if (ids.length === 0) return [];
  return (await db.query<Row>(manyById, [ids], 'user-read-many')).map(accountOf);
}

type Row = Record<string, unknown>;

async function readOne(db: Db, statement: string, param: string, name: string): Promise<User | undefined> {
  const [row] = await db.query<Row>(statement, [param], name);
  return row && accountOf(row);
}

function accountOf(row: Row): User {
  for (const { field } of times) if (row[field] !== null) row[field] = new Date(row[field] as string);
  // Not assigned to a new one: the unit of work would be told of each field.
  return Object.setPrototypeOf(row, User.prototype) as User;
}
