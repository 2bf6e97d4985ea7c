import type { Db } from '../platform/db/index.ts';
import type { Clock } from '../platform/index.ts';
import { accountColumns, fieldOf } from './account-row.ts';
import { emailKey } from './email.ts';
import type { UserState } from './states.ts';
import type { UserProfile } from './user.ts';
import { userNameKey } from './user-name.ts';

/** Everything there is of an account, as it is brought in and taken out. Times are ISO 8601. */
export interface WholeUser {
  id: string;
  state: UserState;
  stateBefore?: UserState | undefined;
  stateChangedAt?: string | undefined;
  stateReason?: string | undefined;
  email?: string | undefined;
  emailVerifiedAt?: string | undefined;
  administrator?: boolean | undefined;
  name?: string | undefined;
  givenName?: string | undefined;
  familyName?: string | undefined;
  locale?: string | undefined;
  profile?: UserProfile | undefined;
  userName?: string | undefined;
  externalId?: string | undefined;
  provisioningDomain?: string | undefined;
  attributes?: Record<string, unknown> | undefined;
  directory?: Record<string, unknown> | undefined;
  settings?: Record<string, unknown> | undefined;
  lastSignInAt?: string | undefined;
  termsVersion?: string | undefined;
  termsAcceptedAt?: string | undefined;
  createdAt?: string | undefined;
  updatedAt?: string | undefined;
}

/** What an account can be known again by. */
export interface Known {
  id?: string | undefined;
  externalId?: string | undefined;
  provisioningDomain?: string | undefined;
  userName?: string | undefined;
  email?: string | undefined;
}

/** Accounts by the hundred, in single statements. What is one person's business goes through {@link Users}. */
export interface Intake {
  /** Those living accounts that any of these may mean, and those with one of the ids. */
  matching(known: readonly Known[]): Promise<WholeUser[]>;
  /** @returns ids of those that were new; whoever has the address or name of somebody by now is left out */
  insert(users: readonly WholeUser[]): Promise<Set<string>>;
  /** By id, which is by age; may lag. @param page.after the last id of the page before */
  page(page: { after?: string | undefined; limit: number }): Promise<WholeUser[]>;
}

const names = Object.keys(accountColumns).join(', ');
const typed = Object.entries(accountColumns)
  .map(([name, type]) => `${name} ${type}`)
  .join(', ');

const fields = Object.entries(accountColumns)
  .filter(([name]) => name !== 'email_key' && name !== 'user_name_key')
  .map(([column, type]) => ({ column, field: fieldOf(column) as keyof WholeUser, isTime: type === 'timestamptz' }));

function fromRow(row: Record<string, unknown>): WholeUser {
  const user: Record<string, unknown> = {};
  for (const { column, field, isTime } of fields) {
    const value = row[column];
    if (value === null || value === undefined) continue;
    user[field] = isTime ? new Date(value as string).toISOString() : value;
  }
  return user as unknown as WholeUser;
}

const present = <T>(values: (T | undefined)[]): T[] => [...new Set(values.filter((value) => value !== undefined))];

export function createIntake({ db, clock }: { db: Db; clock: Clock }): Intake {
  return {
    async matching(known) {
      // Each half has an index of its own; one condition with `or` would read the whole table.
      const rows = await db.query(
        `select ${names} from user_account where id in (
           select id from user_account where id = any($1::uuid[])
           union select id from user_account where external_id = any($2) and state <> 'Deleted'
           union select id from user_account
             where coalesce(user_name_key, email_key) = any($3) and state <> 'Deleted'
           union select id from user_account where email_key = any($4) and state <> 'Deleted')`,
        [
          present(known.map(({ id }) => id)),
          present(known.map(({ externalId }) => externalId)),
          present(known.map(({ userName }) => (userName === undefined ? undefined : userNameKey(userName)))),
          present(known.map(({ email }) => (email === undefined ? undefined : emailKey(email)))),
        ],
      );
      return rows.map(fromRow);
    },

    async insert(users) {
      const now = clock.now().toISOString();
      const rows = users.map((user) => ({
        ...Object.fromEntries(fields.map(({ column, field }) => [column, user[field] ?? null])),
        email_key: user.email === undefined ? null : emailKey(user.email),
        user_name_key: user.userName === undefined ? null : userNameKey(user.userName),
        administrator: user.administrator ?? false,
        profile: user.profile ?? {},
        attributes: user.attributes ?? {},
        directory: user.directory ?? {},
        settings: user.settings ?? {},
        state_changed_at: user.stateChangedAt ?? now,
        created_at: user.createdAt ?? now,
        updated_at: user.updatedAt ?? now,
      }));
      const made = await db.query<{ id: string }>(
        `insert into user_account (${names}) select ${names} from jsonb_to_recordset($1::jsonb) as r (${typed})
         on conflict do nothing returning id`,
        [JSON.stringify(rows)],
      );
      return new Set(made.map(({ id }) => id));
    },

    async page({ after, limit }) {
      const rows = await db.late(
        `select ${names} from user_account where $1::uuid is null or id > $1 order by id limit $2`,
        [after ?? null, limit],
      );
      return rows.map(fromRow);
    },
  };
}
