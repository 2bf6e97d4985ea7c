import type { Db } from '../platform/db/index.ts';

/** What somebody is directly in and has allowed, by names, which mean the same in another installation. */
export interface WholeMemberships {
  groups?: readonly string[] | undefined;
  /** Of the installation. */
  roles?: readonly string[] | undefined;
  organisations?:
    | readonly { name: string; roles?: readonly string[] | undefined; groups?: readonly string[] | undefined }[]
    | undefined;
  consents?:
    | readonly {
        client: string;
        scopes: readonly string[];
        claims?: readonly string[] | undefined;
        resourceScopes?: Record<string, readonly string[]> | undefined;
        givenAt?: string | undefined;
      }[]
    | undefined;
}

/** What people are directly in and have allowed, by the hundred. */
export const createMembershipsReader =
  (db: Db) =>
  async (accountIds: readonly string[]): Promise<Map<string, WholeMemberships>> => {
    const rows = <Row>(sql: string) => db.late<Row>(sql, [accountIds]);
    const groups = await rows<{ id: string; name: string; organisation: string | null }>(
      `select m.member_id as id, g.display_name as name, o.name as organisation
         from group_member m join user_group g on g.id = m.group_id left join organisation o on o.id = g.organisation_id
         where m.member_id = any($1) order by g.display_name, g.id`,
    );
    const roles = await rows<{ id: string; name: string }>(
      `select a.subject_id as id, r.name from role_assignment a join role r on r.id = a.role_id
         where a.subject_id = any($1) and a.subject_kind = 'user' order by r.name`,
    );
    const places = await rows<{ id: string; name: string; roles: string[] }>(
      `select m.account_id as id, o.name,
           coalesce(array_agg(r.name order by r.name) filter (where r.name is not null), '{}') as roles
         from organisation_member m join organisation o on o.id = m.organisation_id
         left join organisation_member_role h on h.organisation_id = m.organisation_id and h.account_id = m.account_id
         left join role r on r.id = h.role_id
         where m.account_id = any($1) group by m.account_id, o.name order by o.name`,
    );
    const consents = await rows<{
      id: string;
      client_id: string;
      scopes: string[];
      claims: string[];
      resource_scopes: Record<string, string[]>;
      given_at: string;
    }>(
      `select account_id as id, client_id, scopes, claims, resource_scopes, given_at from consent
         where account_id = any($1) order by client_id`,
    );

    const by = <Row extends { id: string }>(all: readonly Row[]) => Map.groupBy(all, ({ id }) => id);
    const [groupsOf, rolesOf, placesOf, consentsOf] = [by(groups), by(roles), by(places), by(consents)];
    return new Map(
      accountIds.map((id): [string, WholeMemberships] => {
        const all = groupsOf.get(id) ?? [];
        return [
          id,
          {
            groups: all.filter(({ organisation }) => organisation === null).map(({ name }) => name),
            roles: (rolesOf.get(id) ?? []).map(({ name }) => name),
            organisations: (placesOf.get(id) ?? []).map((place) => {
              const within = all.filter(({ organisation }) => organisation === place.name).map(({ name }) => name);
              return { name: place.name, roles: place.roles, ...(within.length > 0 && { groups: within }) };
            }),
            consents: (consentsOf.get(id) ?? []).map((row) => ({
              client: row.client_id,
              scopes: row.scopes,
              claims: row.claims,
              resourceScopes: row.resource_scopes,
              givenAt: new Date(row.given_at).toISOString(),
            })),
          },
        ];
      }),
    );
  };
