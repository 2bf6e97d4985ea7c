import type { Events } from '../../events/index.ts';
import type { Db } from '../../platform/db/index.ts';
import { type Clock, isId, newId, Refusal } from '../../platform/index.ts';
import type { Change } from '../states.ts';
import { type Belonging, createBelonging, type Member, type MemberPage } from './belonging.ts';
import {
  type Group,
  type GroupEdit,
  type GroupQuery,
  type GroupRow,
  groupColumns,
  groupOf,
  type MemberEdit,
  type NewGroup,
  nameOf,
} from './group.ts';
import { createMembership } from './members.ts';

type By = Omit<Change, 'at'>;

/** Sets of people and of other groups. Nesting is as deep as one likes and never goes round in a circle. */
export interface Groups {
  find(id: string): Promise<Group | undefined>;
  list(query?: GroupQuery): Promise<Group[]>;
  /** @throws Refusal `group.name_malformed`, `group.member_unknown`, `group.cycle` (invalid) */
  create(input: NewGroup, by: By): Promise<Group>;
  /** @throws Refusal `group.unknown` (missing), `group.name_malformed`, `group.changed` (conflict: another version) */
  update(id: string, by: By, edit: GroupEdit): Promise<Group>;
  /** Its members stay what they are; what the group was a member of forgets it. */
  remove(id: string, by: By, edit?: Pick<GroupEdit, 'version'>): Promise<void>;
  /**
   * Who is in it already stays. All or nothing.
   * @param members ids of users and groups, any number
   * @returns how many are new
   * @throws Refusal `group.unknown`, `group.changed`, `group.member_unknown` with `details.members`, `group.cycle`
   */
  addMembers(id: string, members: readonly string[], by: By, edit?: MemberEdit): Promise<number>;
  /** Who is not in it is left alone. @returns how many were in it */
  removeMembers(id: string, members: readonly string[], by: By, edit?: MemberEdit): Promise<number>;
  /** Adds who is missing and removes who is not named. @returns how many came and went */
  replaceMembers(id: string, members: readonly string[], by: By, edit?: MemberEdit): Promise<number>;
  /**
   * Takes the lock of nesting, in the open transaction: for who changes a group in several steps that may nest others.
   * It comes before any group's own, so that no two wait for each other.
   * @param members who will be added: for people alone there is nothing to hold
   */
  holdNesting(members?: readonly string[]): Promise<void>;
  /** Those directly in it, by id, a page at a time; deleted people are left out. */
  members(id: string, page?: MemberPage): Promise<Member[]>;
  /** The groups a person is in, directly or by other groups, by name. */
  of(accountId: string): Promise<{ id: string; displayName: string }[]>;
  /** The same, of the installation's groups, by id, a page at a time. */
  pageOf(accountId: string, page?: MemberPage): Promise<{ id: string; displayName: string }[]>;
  /** The same of many people at once, and whether each is in it itself. */
  ofAll(accountIds: readonly string[]): Promise<Map<string, Belonging[]>>;
  /** The groups that a user or group is directly in, by name. */
  directlyOf(memberId: string): Promise<{ id: string; displayName: string }[]>;
  /** Whether the person is in the group, directly or by other groups. */
  has(groupId: string, accountId: string): Promise<boolean>;
}

export function createGroups(deps: { db: Db; events: Pick<Events, 'record'>; clock: Clock }): Groups {
  const { db, events, clock } = deps;
  const membership = createMembership(deps);
  const belonging = createBelonging(deps);

  /** The group, locked against every other change of it until the transaction ends. */
  const locked = async (id: string, version: number | undefined): Promise<Group> => {
    const [row] = isId(id)
      ? await db.query<GroupRow>(`select ${groupColumns} from user_group where id = $1 for update`, [id])
      : [];
    if (!row) throw new Refusal('group.unknown', { kind: 'missing' });
    if (version !== undefined && row.version !== version) throw new Refusal('group.changed', { kind: 'conflict' });
    return groupOf(row);
  };

  const write = async ({ id, displayName, externalId }: Group): Promise<Group> => {
    const [row] = await db.query<GroupRow>(
      `update user_group set display_name = $2, external_id = $3, updated_at = $4, version = version + 1
        where id = $1 returning ${groupColumns}`,
      [id, displayName, externalId ?? null, clock.now()],
    );
    return groupOf(row!);
  };

  /** The group's version counts a change of its members, unless nothing changed. */
  const counting = async (id: string, edit: MemberEdit, work: () => Promise<number>): Promise<number> => {
    const group = await locked(id, edit.version);
    const changed = await work();
    if (changed > 0) await write(group);
    return changed;
  };

  return {
    async find(id) {
      if (!isId(id)) return undefined;
      const [row] = await db.query<GroupRow>(`select ${groupColumns} from user_group where id = $1`, [id]);
      return row && groupOf(row);
    },

    async list({ prefix, organisationId, provisioningDomain, after, limit = 100 } = {}) {
      const rows = await db.query<GroupRow>(
        `select ${groupColumns} from user_group
          where ($1::text is null or lower(display_name) like $1) and ($2::uuid is null or organisation_id = $2)
            and ($3::text is null or provisioning_domain = $3) and ($4::uuid is null or id > $4)
          order by id limit $5`,
        [
          prefix === undefined ? null : `${prefix.toLowerCase().replace(/[\\%_]/g, '\\$&')}%`,
          organisationId ?? null,
          provisioningDomain ?? null,
          after ?? null,
          limit,
        ],
      );
      return rows.map(groupOf);
    },

    create: (input, by) =>
      db.transact(async () => {
        const id = input.id ?? newId();
        const [row] = await db.query<GroupRow>(
          `insert into user_group (id, display_name, external_id, provisioning_domain, organisation_id, created_at, updated_at)
           values ($1, $2, $3, $4, $5, $6, $6) returning ${groupColumns}`,
          [
            id,
            nameOf(input.displayName),
            input.externalId ?? null,
            input.provisioningDomain ?? null,
            input.organisationId ?? null,
            clock.now(),
          ],
        );
        await events.record({ type: 'group.created', ...by, data: { group: id } });
        const members = input.members ?? [];
        await membership.add(id, members, await membership.resolve(members, input.provisioningDomain), by);
        return groupOf(row!);
      }),

    update: (id, by, { displayName, externalId, version }) =>
      db.transact(async () => {
        const group = await locked(id, version);
        const next: Group = {
          ...group,
          ...(displayName !== undefined && { displayName: nameOf(displayName) }),
          ...(externalId !== undefined && { externalId: externalId ?? undefined }),
        };
        if (next.displayName === group.displayName && next.externalId === group.externalId) return group;
        const fields = (['displayName', 'externalId'] as const).filter((name) => next[name] !== group[name]);
        await events.record({ type: 'group.updated', ...by, data: { group: id, fields } });
        return write(next);
      }),

    remove: (id, by, { version } = {}) =>
      db.transact(async () => {
        // No group takes it in while it goes: nothing would be left to refer to it.
        await membership.lockNesting();
        await locked(id, version);
        const [row] = await db.query<{ parents: string[] | null }>(
          `with gone as (delete from group_member where member_id = $1 returning group_id)
           select array_agg(group_id) as parents from gone`,
          [id],
        );
        await db.query('update user_group set version = version + 1, updated_at = $2 where id = any($1::uuid[])', [
          row?.parents ?? [],
          clock.now(),
        ]);
        await db.query(`delete from role_assignment where subject_id = $1 and subject_kind = 'group'`, [id]);
        await db.query('delete from user_group where id = $1', [id]);
        await events.record({ type: 'group.deleted', ...by, data: { group: id } });
      }),

    addMembers: (id, members, by, edit = {}) =>
      db.transact(async () => {
        const resolved = await membership.resolve(members, edit.domain);
        return counting(id, edit, () => membership.add(id, members, resolved, by));
      }),
    removeMembers: (id, members, by, edit = {}) =>
      db.transact(() => counting(id, edit, () => membership.remove(id, members, by))),
    replaceMembers: (id, members, by, edit = {}) =>
      db.transact(async () => {
        const resolved = await membership.resolve(members, edit.domain);
        return counting(id, edit, () => membership.replace(id, members, resolved, by));
      }),

    holdNesting: async (members) => void (await (members ? membership.resolve(members) : membership.lockNesting())),
    ...belonging,
  };
}
