import type { Db } from '../platform/db/index.ts';
import { isId, together } from '../platform/index.ts';
import { User } from './user.ts';

/** A person as applications are told of them: to be read, not changed. */
export type Portrait = Readonly<
  Pick<
    User,
    | 'id'
    | 'name'
    | 'givenName'
    | 'familyName'
    | 'email'
    | 'emailVerifiedAt'
    | 'locale'
    | 'profile'
    | 'attributes'
    | 'settings'
    | 'updatedAt'
    | 'displayName'
    | 'isEmailVerified'
  >
>;

interface Row {
  id: string;
  name: string | null;
  given_name: string | null;
  family_name: string | null;
  email: string | null;
  email_verified_at: string | null;
  locale: string | null;
  profile: User['profile'];
  attributes: Record<string, unknown>;
  settings: Record<string, unknown>;
  updated_at: string;
}

/** The rules of a person, without the unit of work that changes are noted in. */
const { displayName, isEmailVerified } = User.prototype;

const fromRow = (row: Row): Portrait => ({
  id: row.id,
  name: row.name,
  givenName: row.given_name,
  familyName: row.family_name,
  email: row.email,
  emailVerifiedAt: row.email_verified_at === null ? null : new Date(row.email_verified_at),
  locale: row.locale,
  profile: row.profile,
  attributes: row.attributes,
  settings: row.settings,
  updatedAt: new Date(row.updated_at),
  displayName,
  isEmailVerified,
});

/**
 * Reads people as they are now, outside transactions: at each userinfo request, so it is one prepared statement for all
 * that are asked about at once.
 */
export function createPortraits({ db }: { db: Pick<Db, 'query'> }): (id: string) => Promise<Portrait | undefined> {
  const read = together<Portrait>(async (ids) => {
    const rows = await db.query<Row>(
      `select id, name, given_name, family_name, email, email_verified_at, locale, profile, attributes, settings, updated_at
       from user_account where id = any($1::uuid[])`,
      [ids],
      'portraits',
    );
    return new Map(rows.map((row) => [row.id, fromRow(row)]));
  });
  return async (id) => (isId(id) ? read(id.toLowerCase()) : undefined);
}
