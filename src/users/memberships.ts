import type { Event, Events } from '../events/index.ts';
import type { Db } from '../platform/db/index.ts';
import type { Clock } from '../platform/index.ts';
import type { Groups } from './groups/groups.ts';
import { createMembershipsReader, type WholeMemberships } from './memberships-reader.ts';
import type { By } from './users.ts';

/** Names that mean nothing here. */
export interface UnknownMemberships {
  groups?: string[];
  roles?: string[];
  organisations?: string[];
  clients?: string[];
}

/** Memberships of people by the hundred, in few statements. */
export interface Memberships {
  of(accountIds: readonly string[]): Promise<Map<string, WholeMemberships>>;
  /**
   * Adds, in the open transaction; nothing is taken away.
   * @param how.createGroups whether groups of the installation that are not here are made
   * @returns for whom something is not here, and what
   */
  give(
    all: ReadonlyMap<string, WholeMemberships>,
    by: By,
    how?: { createGroups?: boolean },
  ): Promise<Map<string, UnknownMemberships>>;
}

interface Names {
  /** `<organisation's id or nothing>/<name in lower case>` → id */
  groups: Map<string, string>;
  /** `<scope>/<name>` → id */
  roles: Map<string, string>;
  organisations: Map<string, string>;
}

const groupKey = (organisation: string | undefined, name: string) => `${organisation ?? ''}/${name.toLowerCase()}`;

/** @param deps.isClient whether there is an application of this id: consent to none would wait for whoever takes the name */
export function createMemberships(deps: {
  db: Db;
  clock: Clock;
  events: Pick<Events, 'recordAll'>;
  groups: Pick<Groups, 'create' | 'addMembers'>;
  isClient(id: string): Promise<boolean>;
}): Memberships {
  const { db, clock, events, groups, isClient } = deps;

  const namesIn = async (all: readonly WholeMemberships[]): Promise<Names> => {
    const organisations = all.flatMap((one) => one.organisations ?? []);
    const of = <Row>(sql: string, names: readonly string[]) =>
      names.length === 0 ? [] : db.query<Row>(sql, [[...new Set(names)]]);
    const groupRows = await of<{ id: string; key: string; organisation_id: string | null }>(
      `select id, lower(display_name) as key, organisation_id from user_group
         where lower(display_name) = any($1) order by id desc`,
      [...all.flatMap((one) => one.groups ?? []), ...organisations.flatMap((one) => one.groups ?? [])].map((name) =>
        name.toLowerCase(),
      ),
    );
    const roleRows = await of<{ id: string; name: string; scope: string }>(
      'select id, name, scope from role where name = any($1)',
      [...all.flatMap((one) => one.roles ?? []), ...organisations.flatMap((one) => one.roles ?? [])],
    );
    const places = await of<{ id: string; name: string }>(
      'select id, name from organisation where name = any($1)',
      organisations.map(({ name }) => name),
    );
    return {
      // Of several with one name the oldest.
      groups: new Map(groupRows.map(({ id, key, organisation_id }) => [`${organisation_id ?? ''}/${key}`, id])),
      roles: new Map(roleRows.map(({ id, name, scope }) => [`${scope}/${name}`, id])),
      organisations: new Map(places.map(({ id, name }) => [name, id])),
    };
  };

  const insert = <Row>(table: string, columns: Record<string, string>, rows: object[], returning: string) =>
    rows.length === 0
      ? []
      : db.query<Row>(
          `insert into ${table} (${Object.keys(columns).join(', ')}) select ${Object.keys(columns).join(', ')}
             from jsonb_to_recordset($1::jsonb) as r (${Object.entries(columns)
               .map(([name, type]) => `${name} ${type}`)
               .join(', ')}) on conflict do nothing returning ${returning}`,
          [JSON.stringify(rows)],
        );

  return {
    of: createMembershipsReader(db),

    async give(all, by, { createGroups = false } = {}) {
      const now = clock.now().toISOString();
      const names = await namesIn([...all.values()]);
      const missing = new Map<string, UnknownMemberships>();
      const miss = (id: string, what: keyof UnknownMemberships, name: string) => {
        const known = missing.get(id) ?? {};
        missing.set(id, { ...known, [what]: [...(known[what] ?? []), name.slice(0, 60)] });
      };

      const members = new Map<string, string[]>();
      const join = async (id: string, name: string, organisation?: { id: string; name: string }) => {
        const key = groupKey(organisation?.id, name);
        if (!names.groups.has(key) && createGroups && !organisation) {
          names.groups.set(key, (await groups.create({ displayName: name }, by)).id);
        }
        const group = names.groups.get(key);
        if (group) members.set(group, [...(members.get(group) ?? []), id]);
        else miss(id, 'groups', organisation ? `${organisation.name}/${name}` : name);
      };

      const assignments: { role_id: string; subject_id: string; subject_kind: string; assigned_at: string }[] = [];
      const places: { organisation_id: string; account_id: string; joined_at: string }[] = [];
      const roles: { organisation_id: string; account_id: string; role_id: string }[] = [];
      const consents: object[] = [];
      const roleNames = new Map<string, string>();
      for (const [id, one] of all) {
        for (const name of new Set(one.groups)) await join(id, name);
        for (const name of new Set(one.roles)) {
          const role_id = names.roles.get(`installation/${name}`);
          if (role_id) assignments.push({ role_id, subject_id: id, subject_kind: 'user', assigned_at: now });
          else miss(id, 'roles', name);
        }
        for (const { name, roles: held = [], groups: within = [] } of one.organisations ?? []) {
          const organisation_id = names.organisations.get(name);
          if (!organisation_id) {
            miss(id, 'organisations', name);
            continue;
          }
          places.push({ organisation_id, account_id: id, joined_at: now });
          for (const role of new Set(held)) {
            const role_id = names.roles.get(`organisation/${role}`);
            if (role_id) roles.push({ organisation_id, account_id: id, role_id });
            else miss(id, 'roles', `${name}/${role}`);
            if (role_id) roleNames.set(role_id, role);
          }
          for (const group of new Set(within)) await join(id, group, { id: organisation_id, name });
        }
        for (const { client, scopes, claims = [], resourceScopes = {}, givenAt = now } of one.consents ?? []) {
          const row = { scopes, claims, resource_scopes: resourceScopes, given_at: givenAt };
          if (await isClient(client)) consents.push({ account_id: id, client_id: client, ...row });
          else miss(id, 'clients', client);
        }
      }

      const told: Event[] = [];
      for (const row of await insert<{ role_id: string; subject_id: string }>(
        'role_assignment',
        { role_id: 'uuid', subject_id: 'uuid', subject_kind: 'text', assigned_at: 'timestamptz' },
        assignments,
        'role_id, subject_id',
      )) {
        told.push({ type: 'role.assigned', ...by, subject: row.subject_id, data: { role: row.role_id } });
      }
      const joined = await insert<{ organisation_id: string; account_id: string }>(
        'organisation_member',
        { organisation_id: 'uuid', account_id: 'uuid', joined_at: 'timestamptz' },
        places,
        'organisation_id, account_id',
      );
      const given = await insert<{ organisation_id: string; account_id: string; role_id: string }>(
        'organisation_member_role',
        { organisation_id: 'uuid', account_id: 'uuid', role_id: 'uuid' },
        roles,
        'organisation_id, account_id, role_id',
      );
      const came = new Set(joined.map((row) => `${row.organisation_id} ${row.account_id}`));
      const changed = new Map<string, string[]>([...came].map((key) => [key, []]));
      for (const row of given) {
        const key = `${row.organisation_id} ${row.account_id}`;
        changed.set(key, [...(changed.get(key) ?? []), roleNames.get(row.role_id)!]);
      }
      for (const [key, held] of changed) {
        const [organisation, subject] = key.split(' ') as [string, string];
        const type = came.has(key) ? 'organisation.member_added' : 'organisation.member_changed';
        told.push({ type, ...by, subject, data: { organisation, roles: held.sort() } });
      }
      await insert(
        'consent',
        {
          account_id: 'uuid',
          client_id: 'text',
          scopes: 'text[]',
          claims: 'text[]',
          resource_scopes: 'jsonb',
          given_at: 'timestamptz',
        },
        consents,
        '1',
      );
      // In one order everywhere, so that no two batches wait for each other.
      for (const [group, ids] of [...members].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
        await groups.addMembers(group, ids, by);
      }
      await events.recordAll(told);
      return missing;
    },
  };
}
