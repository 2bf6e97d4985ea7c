import type { Event, Events } from '../events/index.ts';
import type { Db } from '../platform/db/index.ts';
import type { Clock } from '../platform/index.ts';
import type { Groups } from './groups/groups.ts';
import { groupKey, type Names, planOf, type UnknownMemberships } from './memberships-plan.ts';
import { createMembershipsReader, type WholeMemberships } from './memberships-reader.ts';
import type { By } from './users.ts';

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
    const places = all.flatMap((one) => one.organisations ?? []);
    const of = async <Row>(sql: string, names: readonly string[]): Promise<Row[]> =>
      names.length === 0 ? [] : db.query<Row>(sql, [[...new Set(names)]]);
    const groupNames = [...all, ...places].flatMap((one) => one.groups ?? []);
    const groupRows = await of<{ id: string; name: string; organisation_id: string | null }>(
      `select id, display_name as name, organisation_id from user_group
         where lower(display_name) = any($1) order by id desc`,
      groupNames.map((name) => name.toLowerCase()),
    );
    const roleRows = await of<{ id: string; name: string; scope: string }>(
      'select id, name, scope from role where name = any($1)',
      [...all, ...places].flatMap((one) => one.roles ?? []),
    );
    const organisations = await of<{ id: string; name: string }>(
      'select id, name from organisation where name = any($1)',
      places.map(({ name }) => name),
    );
    const clients = new Set(all.flatMap((one) => (one.consents ?? []).map(({ client }) => client)));
    for (const client of clients) if (!(await isClient(client))) clients.delete(client);
    return {
      // Of several with one name the oldest.
      groups: new Map(groupRows.map((row) => [groupKey(row.organisation_id ?? undefined, row.name), row.id])),
      roles: new Map(roleRows.map(({ id, name, scope }) => [`${scope}/${name}`, id])),
      organisations: new Map(organisations.map(({ id, name }) => [name, id])),
      clients,
    };
  };

  /** @returns those rows that were not there */
  const insert = async <Row extends object>(
    table: string,
    types: Record<string, string>,
    rows: readonly Row[],
  ): Promise<Row[]> => {
    const columns = Object.keys(types).join(', ');
    const typed = Object.entries(types).map((pair) => pair.join(' '));
    return rows.length === 0
      ? []
      : db.query<Row>(
          `insert into ${table} (${columns}) select ${columns} from jsonb_to_recordset($1::jsonb) as r (${typed})
             on conflict do nothing returning ${columns}`,
          [JSON.stringify(rows)],
        );
  };

  /** What changed, as the journal has it: one row for each person and organisation. */
  const told = (
    by: By,
    came: readonly { organisation_id: string; account_id: string }[],
    given: readonly { organisation_id: string; account_id: string; role_id: string }[],
    names: Names,
  ): Event[] => {
    const roleNames = new Map([...names.roles].map(([key, id]) => [id, key.slice(key.indexOf('/') + 1)]));
    const keyOf = (row: { organisation_id: string; account_id: string }) => `${row.organisation_id} ${row.account_id}`;
    const isNew = new Set(came.map(keyOf));
    const held = new Map<string, string[]>([...isNew].map((key) => [key, []]));
    for (const row of given) held.set(keyOf(row), [...(held.get(keyOf(row)) ?? []), roleNames.get(row.role_id)!]);
    return [...held].map(([key, roles]) => {
      const [organisation, subject] = key.split(' ') as [string, string];
      const type = isNew.has(key) ? 'organisation.member_added' : 'organisation.member_changed';
      return { type, ...by, subject, data: { organisation, roles: roles.sort() } };
    });
  };

  return {
    of: createMembershipsReader(db),

    async give(all, by, { createGroups = false } = {}) {
      const now = clock.now().toISOString();
      const names = await namesIn([...all.values()]);
      for (const name of new Set(createGroups ? [...all.values()].flatMap((one) => one.groups ?? []) : [])) {
        const key = groupKey(undefined, name);
        if (!names.groups.has(key)) names.groups.set(key, (await groups.create({ displayName: name }, by)).id);
      }
      const plan = planOf(all, names);
      const assigned = await insert(
        'role_assignment',
        { role_id: 'uuid', subject_id: 'uuid', subject_kind: 'text', assigned_at: 'timestamptz' },
        plan.assignments.map((row) => ({ ...row, subject_kind: 'user', assigned_at: now })),
      );
      const came = await insert(
        'organisation_member',
        { organisation_id: 'uuid', account_id: 'uuid', joined_at: 'timestamptz' },
        plan.places.map((row) => ({ ...row, joined_at: now })),
      );
      const given = await insert(
        'organisation_member_role',
        { organisation_id: 'uuid', account_id: 'uuid', role_id: 'uuid' },
        plan.roles,
      );
      await insert(
        'consent',
        {
          ...{ account_id: 'uuid', client_id: 'text', scopes: 'text[]', claims: 'text[]' },
          ...{ resource_scopes: 'jsonb', given_at: 'timestamptz' },
        },
        plan.consents.map((row) => ({ given_at: now, ...row })),
      );
      // In one order everywhere, so that no two batches wait for each other.
      for (const [group, ids] of [...plan.members].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
        await groups.addMembers(group, ids, by);
      }
      await events.recordAll([
        ...assigned.map(
          ({ role_id, subject_id }): Event => ({
            type: 'role.assigned',
            ...by,
            subject: subject_id,
            data: { role: role_id },
          }),
        ),
        ...told(by, came, given, names),
      ]);
      return plan.missing;
    },
  };
}
