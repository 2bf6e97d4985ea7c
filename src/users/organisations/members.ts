import type { Events } from '../../events/index.ts';
import type { Db } from '../../platform/db/index.ts';
import { type Clock, isId, Refusal } from '../../platform/index.ts';
import type { By } from '../users.ts';
import { type Organisation, type OrganisationRow, organisationOf } from './organisations.ts';

export interface OrganisationMember {
  accountId: string;
  /** What people call them. */
  name: string | undefined;
  email: string | undefined;
  joinedAt: Date;
  /** Names of the roles given to the person themselves. */
  roles: string[];
}

export interface OrganisationMembers {
  /**
   * @param roles ids of roles of organisations
   * @returns whether they were none
   * @throws Refusal `organisation.unknown`, `user.unknown` (missing), `role.unknown` (invalid)
   */
  add(organisationId: string, accountId: string, by: By, roles?: readonly string[]): Promise<boolean>;
  /** Ends what applications hold for the person in this organisation at its next use. @returns whether they were one */
  remove(organisationId: string, accountId: string, by: By): Promise<boolean>;
  /** Gives them these roles and no others. @throws Refusal `organisation.member_unknown` (missing), `role.unknown` (invalid) */
  setRoles(organisationId: string, accountId: string, roles: readonly string[], by: By): Promise<void>;
  isMember(organisationId: string, accountId: string): Promise<boolean>;
  find(organisationId: string, accountId: string): Promise<OrganisationMember | undefined>;
  /** By id of the account, a page at a time; deleted people are left out. */
  list(organisationId: string, page?: { after?: string; limit?: number }): Promise<OrganisationMember[]>;
  /** Where the person belongs to, by name. */
  organisationsOf(accountId: string): Promise<(Organisation & { joinedAt: Date; roles: string[] })[]>;
}

interface Row {
  account_id: string;
  name: string | null;
  email: string | null;
  joined_at: string;
  roles: string[];
}

const memberOf = (row: Row): OrganisationMember => ({
  accountId: row.account_id,
  name: row.name ?? undefined,
  email: row.email ?? undefined,
  joinedAt: new Date(row.joined_at),
  roles: row.roles,
});

const rolesOfMember = `coalesce((select json_agg(r.name order by r.name) from organisation_member_role h join role r on r.id = h.role_id
   where h.organisation_id = m.organisation_id and h.account_id = m.account_id), '[]') as roles`;

const person = `coalesce(u.name, nullif(concat_ws(' ', u.given_name, u.family_name), ''), u.user_name) as name, u.email`;

export function createOrganisationMembers(deps: {
  db: Db;
  clock: Clock;
  events: Pick<Events, 'record'>;
}): OrganisationMembers {
  const { db, clock, events } = deps;
  const refuse = (code: string, kind: 'missing' | 'invalid' = 'missing') => new Refusal(code, { kind });

  /** @returns the names of what they have now */
  const give = async (organisationId: string, accountId: string, roles: readonly string[]): Promise<string[]> => {
    const wanted = [...new Set(roles)];
    if (wanted.length > 100) throw refuse('role.unknown', 'invalid');
    const known = wanted.every(isId)
      ? await db.query<{ id: string; name: string }>(
          `select id, name from role where id = any($1) and scope = 'organisation' for key share`,
          [wanted],
        )
      : [];
    if (known.length !== wanted.length) throw refuse('role.unknown', 'invalid');
    await db.query('delete from organisation_member_role where organisation_id = $1 and account_id = $2', [
      organisationId,
      accountId,
    ]);
    await db.query(
      'insert into organisation_member_role (organisation_id, account_id, role_id) select $1, $2, unnest($3::uuid[])',
      [organisationId, accountId, wanted],
    );
    return known.map(({ name }) => name).sort();
  };

  const find: OrganisationMembers['find'] = async (organisationId, accountId) => {
    if (!isId(organisationId) || !isId(accountId)) return undefined;
    const [row] = await db.query<Row>(
      `select account_id, joined_at, ${person}, ${rolesOfMember}
       from organisation_member m join user_account u on u.id = m.account_id
       where organisation_id = $1 and account_id = $2`,
      [organisationId, accountId],
    );
    return row && memberOf(row);
  };

  return {
    find,

    add: (organisationId, accountId, by, roles = []) =>
      db.transact(async () => {
        if (!isId(organisationId)) throw refuse('organisation.unknown');
        // Neither goes while the person joins.
        const [place] = await db.query('select 1 from organisation where id = $1 for key share', [organisationId]);
        if (!place) throw refuse('organisation.unknown');
        const people = isId(accountId)
          ? await db.query(`select 1 from user_account where id = $1 and state <> 'Deleted' for share`, [accountId])
          : [];
        if (people.length === 0) throw refuse('user.unknown');
        const joined = await db.query(
          `insert into organisation_member (organisation_id, account_id, joined_at) values ($1, $2, $3)
           on conflict do nothing returning 1`,
          [organisationId, accountId, clock.now()],
        );
        if (joined.length === 0) return false;
        const names = await give(organisationId, accountId, roles);
        const data = { organisation: organisationId, roles: names };
        await events.record({ type: 'organisation.member_added', ...by, subject: accountId, data });
        return true;
      }),

    remove: (organisationId, accountId, by) =>
      db.transact(async () => {
        if (!isId(organisationId) || !isId(accountId)) return false;
        const left = await db.query(
          'delete from organisation_member where organisation_id = $1 and account_id = $2 returning 1',
          [organisationId, accountId],
        );
        if (left.length === 0) return false;
        // Groups of the organisation are for its members.
        await db.query(
          `delete from group_member where member_id = $2
             and group_id in (select id from user_group where organisation_id = $1)`,
          [organisationId, accountId],
        );
        const data = { organisation: organisationId };
        await events.record({ type: 'organisation.member_removed', ...by, subject: accountId, data });
        return true;
      }),

    setRoles: (organisationId, accountId, roles, by) =>
      db.transact(async () => {
        const locked =
          isId(organisationId) && isId(accountId)
            ? await db.query(
                'select 1 from organisation_member where organisation_id = $1 and account_id = $2 for update',
                [organisationId, accountId],
              )
            : [];
        if (locked.length === 0) throw refuse('organisation.member_unknown');
        const before = (await find(organisationId, accountId))!.roles;
        const names = await give(organisationId, accountId, roles);
        if (before.join('\n') === names.join('\n')) return;
        const data = { organisation: organisationId, roles: names };
        await events.record({ type: 'organisation.member_changed', ...by, subject: accountId, data });
      }),

    async isMember(organisationId, accountId) {
      if (!isId(organisationId) || !isId(accountId)) return false;
      const rows = await db.query(
        'select 1 from organisation_member where organisation_id = $1 and account_id = $2',
        [organisationId, accountId],
        'organisation-member',
      );
      return rows.length > 0;
    },

    async list(organisationId, { after = '00000000-0000-0000-0000-000000000000', limit = 100 } = {}) {
      if (!isId(organisationId) || !isId(after)) return [];
      const rows = await db.query<Row>(
        `select account_id, joined_at, ${person}, ${rolesOfMember}
         from organisation_member m join user_account u on u.id = m.account_id
         where organisation_id = $1 and account_id > $2 and u.state <> 'Deleted' order by account_id limit $3`,
        [organisationId, after, Math.min(limit, 1_000)],
      );
      return rows.map(memberOf);
    },

    async organisationsOf(accountId) {
      if (!isId(accountId)) return [];
      const rows = await db.query<OrganisationRow & Pick<Row, 'joined_at' | 'roles'>>(
        `select o.*, m.joined_at, ${rolesOfMember} from organisation_member m
         join organisation o on o.id = m.organisation_id where m.account_id = $1 order by lower(o.display_name), o.id
         limit 1000`,
        [accountId],
      );
      return rows.map((row) => ({ ...organisationOf(row), joinedAt: new Date(row.joined_at), roles: row.roles }));
    },
  };
}
