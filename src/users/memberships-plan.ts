import type { WholeMemberships } from './memberships-reader.ts';

/** Names that mean nothing here. */
export interface UnknownMemberships {
  groups?: string[];
  roles?: string[];
  organisations?: string[];
  clients?: string[];
}

/** What the names mean here. */
export interface Names {
  /** By {@link groupKey}. */
  groups: Map<string, string>;
  /** `<scope>/<name>` → id */
  roles: Map<string, string>;
  organisations: Map<string, string>;
  /** Those of applications that are here. */
  clients: Set<string>;
}

/** @param organisation its id; without one the installation's own */
export const groupKey = (organisation: string | undefined, name: string) =>
  `${organisation ?? ''}/${name.toLowerCase()}`;

/** Names to ids: rows to be written, and for whom what is not here. */
export function planOf(all: ReadonlyMap<string, WholeMemberships>, names: Names) {
  const members = new Map<string, string[]>();
  const assignments: { role_id: string; subject_id: string }[] = [];
  const places: { organisation_id: string; account_id: string }[] = [];
  const roles: { organisation_id: string; account_id: string; role_id: string }[] = [];
  const consents: object[] = [];
  const missing = new Map<string, UnknownMemberships>();

  const miss = (id: string, what: keyof UnknownMemberships, name: string) => {
    const known = missing.get(id) ?? {};
    missing.set(id, { ...known, [what]: [...(known[what] ?? []), name.slice(0, 60)] });
  };
  const join = (id: string, name: string, organisation?: { id: string; name: string }) => {
    const group = names.groups.get(groupKey(organisation?.id, name));
    if (group) members.set(group, [...(members.get(group) ?? []), id]);
    else miss(id, 'groups', organisation ? `${organisation.name}/${name}` : name);
  };
  const enter = (id: string, one: NonNullable<WholeMemberships['organisations']>[number]) => {
    const organisation_id = names.organisations.get(one.name);
    if (!organisation_id) return miss(id, 'organisations', one.name);
    places.push({ organisation_id, account_id: id });
    for (const role of new Set(one.roles)) {
      const role_id = names.roles.get(`organisation/${role}`);
      if (role_id) roles.push({ organisation_id, account_id: id, role_id });
      else miss(id, 'roles', `${one.name}/${role}`);
    }
    for (const group of new Set(one.groups)) join(id, group, { id: organisation_id, name: one.name });
  };

  for (const [id, one] of all) {
    for (const name of new Set(one.groups)) join(id, name);
    for (const name of new Set(one.roles)) {
      const role_id = names.roles.get(`installation/${name}`);
      if (role_id) assignments.push({ role_id, subject_id: id });
      else miss(id, 'roles', name);
    }
    for (const place of one.organisations ?? []) enter(id, place);
    for (const { client, scopes, claims = [], resourceScopes = {}, givenAt } of one.consents ?? []) {
      const row = { scopes, claims, resource_scopes: resourceScopes, ...(givenAt && { given_at: givenAt }) };
      if (names.clients.has(client)) consents.push({ account_id: id, client_id: client, ...row });
      else miss(id, 'clients', client);
    }
  }
  return { members, assignments, places, roles, consents, missing };
}
