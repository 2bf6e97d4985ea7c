import type { Db } from '../../platform/db/index.ts';
import { isId } from '../../platform/index.ts';

/** What a person belongs to and may do, at this moment, in the installation and in one organisation. */
export interface Facts {
  /** Groups of the installation, nested ones too, by name; at most one more than {@link createFacts} was told. */
  groups: { id: string; name: string }[];
  /** Names of roles of the installation, their own and their groups'. */
  roles: string[];
  /** Of those roles. */
  permissions: string[];
  /** Absent when none was asked about, there is none, or they are no member. Nothing of other organisations is in it. */
  organisation?: OrganisationFacts;
}

export interface OrganisationFacts {
  id: string;
  name: string;
  displayName: string;
  roles: string[];
  permissions: string[];
}

export interface FactsReader {
  /**
   * All of it by one statement. Whoever is not known has nothing.
   * @param organisationId the organisation a token is for, if any
   */
  factsOf(accountId: string, organisationId?: string): Promise<Facts>;
  /** @param by.organisation id; the roles of the installation otherwise */
  rolesOf(accountId: string, by?: { organisation?: string | undefined }): Promise<string[]>;
  permissionsOf(accountId: string, by?: { organisation?: string | undefined }): Promise<string[]>;
  /** Whether the person may do it: in the organisation by a role there, and anywhere by a role of the installation. */
  has(accountId: string, permission: string, by?: { organisation?: string | undefined }): Promise<boolean>;
}

// `union`, not `union all`: it ends even where groups went round in a circle.
const statement = `
with recursive mine (id) as (
  select group_id from group_member where member_id = $1::uuid
  union
  select m.group_id from mine join group_member m on m.member_id = mine.id
), held as (
  select distinct r.name, r.permissions from role_assignment a join role r on r.id = a.role_id
  where r.scope = 'installation' and a.subject_id in (select $1::uuid union all select id from mine)
), place as (
  select o.id, o.name, o.display_name from organisation o
  join organisation_member m on m.organisation_id = o.id
  where o.id = $2 and m.account_id = $1
), held_there as (
  select r.name, r.permissions from place
  join organisation_member_role h on h.organisation_id = place.id and h.account_id = $1
  join role r on r.id = h.role_id
  union
  select r.name, r.permissions from place
  join user_group g on g.organisation_id = place.id
  join mine on mine.id = g.id
  join role_assignment a on a.subject_id = g.id
  join role r on r.id = a.role_id and r.scope = 'organisation'
)
select
  (select coalesce(json_agg(json_build_object('id', id, 'name', display_name) order by display_name, id), '[]') from (
     select g.id, g.display_name from user_group g join mine on mine.id = g.id
     where g.organisation_id is null order by g.display_name, g.id limit $3) as few) as groups,
  (select coalesce(json_agg(name order by name), '[]') from held) as roles,
  (select coalesce(json_agg(distinct p), '[]') from held, unnest(permissions) p) as permissions,
  (select json_build_object('id', id, 'name', name, 'displayName', display_name,
     'roles', (select coalesce(json_agg(distinct name), '[]') from held_there),
     'permissions', (select coalesce(json_agg(distinct p), '[]') from held_there, unnest(permissions) p))
   from place) as organisation`;

/** @param deps.mostGroups how many names of groups stand in a token at most */
export function createFacts({ db, mostGroups }: { db: Db; mostGroups: number }): FactsReader {
  const factsOf: FactsReader['factsOf'] = async (accountId, organisationId) => {
    if (!isId(accountId)) return { groups: [], roles: [], permissions: [] };
    const organisation = organisationId !== undefined && isId(organisationId) ? organisationId : null;
    const [row] = await db.query<Facts & { organisation: OrganisationFacts | null }>(
      statement,
      [accountId, organisation, mostGroups + 1],
      'facts-of',
    );
    const { organisation: place, ...facts } = row!;
    return { ...facts, ...(place ? { organisation: place } : {}) };
  };

  return {
    factsOf,
    async rolesOf(accountId, { organisation } = {}) {
      const facts = await factsOf(accountId, organisation);
      return organisation === undefined ? facts.roles : (facts.organisation?.roles ?? []);
    },
    async permissionsOf(accountId, { organisation } = {}) {
      const facts = await factsOf(accountId, organisation);
      return organisation === undefined ? facts.permissions : (facts.organisation?.permissions ?? []);
    },
    async has(accountId, permission, { organisation } = {}) {
      const facts = await factsOf(accountId, organisation);
      return facts.permissions.includes(permission) || (facts.organisation?.permissions.includes(permission) ?? false);
    },
  };
}
