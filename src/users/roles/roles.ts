import type { Events } from '../../events/index.ts';
import type { Db } from '../../platform/db/index.ts';
import { type Clock, isId, newId, Refusal } from '../../platform/index.ts';
import type { By } from '../users.ts';

/**
 * A set of permissions with a name. One of the installation is assigned to people and groups; one of organisations is
 * what a member is in an organisation, or what the members of an organisation's own group are.
 */
export interface Role {
  id: string;
  name: string;
  scope: RoleScope;
  description: string | undefined;
  permissions: string[];
  createdAt: Date;
  updatedAt: Date;
}

export type RoleScope = 'installation' | 'organisation';

export interface NewRole {
  name: string;
  scope: RoleScope;
  description?: string | undefined;
  permissions?: readonly string[];
}

export interface RoleSubject {
  kind: 'user' | 'group';
  id: string;
}

export interface Roles {
  list(scope?: RoleScope): Promise<Role[]>;
  find(id: string): Promise<Role | undefined>;
  named(name: string, scope: RoleScope): Promise<Role | undefined>;
  /** Of organisations, by name. @throws Refusal `role.unknown` (missing) with the first name that there is not */
  idsOf(names: readonly string[]): Promise<string[]>;
  /**
   * Adds it, or says anew what the one of this name and scope is.
   * @returns whether that changed anything
   * @throws Refusal `role.malformed` (invalid), `permission.unknown` (invalid) with `details.permission`
   */
  put(role: NewRole, by: By): Promise<boolean>;
  /** Whoever has it has it no more. @throws Refusal `role.unknown` (missing) */
  remove(id: string, by: By): Promise<void>;
  /**
   * @returns whether they did not have it
   * @throws Refusal `role.unknown`, `role.subject_unknown` (missing), `role.scope_mismatch` (conflict): one of
   *   organisations for a person or a group of the installation, or the other way round
   */
  assign(roleId: string, subject: RoleSubject, by: By): Promise<boolean>;
  /** @returns whether they had it */
  withdraw(roleId: string, subject: RoleSubject, by: By): Promise<boolean>;
  /** To whom it is assigned directly, by id. */
  subjects(roleId: string, page?: { after?: string; limit?: number }): Promise<RoleSubject[]>;
  /** What is assigned to this one directly. */
  assignedTo(subject: RoleSubject): Promise<Role[]>;
}

interface Row {
  id: string;
  name: string;
  scope: RoleScope;
  description: string | null;
  permissions: string[];
  created_at: string;
  updated_at: string;
}

const roleOf = (row: Row): Role => ({
  id: row.id,
  name: row.name,
  scope: row.scope,
  description: row.description ?? undefined,
  permissions: row.permissions,
  createdAt: new Date(row.created_at),
  updatedAt: new Date(row.updated_at),
});

const roleName = /^[\p{L}\p{N}][\p{L}\p{N} _.:/-]{0,99}$/u;

export function createRoles(deps: { db: Db; clock: Clock; events: Pick<Events, 'record'> }): Roles {
  const { db, clock, events } = deps;
  const unknown = (kind: 'missing' | 'invalid' = 'missing', name?: string) =>
    new Refusal('role.unknown', { kind, ...(name ? { details: { name } } : {}) });

  const find: Roles['find'] = async (id) => {
    const [row] = isId(id) ? await db.query<Row>('select * from role where id = $1', [id]) : [];
    return row && roleOf(row);
  };

  const demandPermissions = async (names: readonly string[]) => {
    const known = await db.query<{ name: string }>('select name from permission where name = any($1)', [names]);
    const missing = names.find((name) => !known.some((each) => each.name === name));
    if (missing !== undefined)
      throw new Refusal('permission.unknown', { kind: 'invalid', details: { permission: missing } });
  };

  /** A role of organisations for an organisation's group, one of the installation for everybody else. */
  const demandFit = async (role: Role, { kind, id }: RoleSubject) => {
    const [subject] = !isId(id)
      ? []
      : kind === 'user'
        ? await db.query<{ organisation_id: null }>(
            `select null as organisation_id from user_account where id = $1 and state <> 'Deleted'`,
            [id],
          )
        : await db.query<{ organisation_id: string | null }>(
            'select organisation_id from user_group where id = $1 for share',
            [id],
          );
    if (!subject) throw new Refusal('role.subject_unknown', { kind: 'missing' });
    if ((role.scope === 'organisation') !== (subject.organisation_id !== null))
      throw new Refusal('role.scope_mismatch', { kind: 'conflict' });
  };

  const told = (type: 'role.assigned' | 'role.withdrawn', roleId: string, { kind, id }: RoleSubject, by: By) =>
    events.record({
      type,
      ...by,
      ...(kind === 'user' ? { subject: id } : {}),
      data: { role: roleId, ...(kind === 'group' ? { group: id } : {}) },
    });

  return {
    find,
    list: async (scope) =>
      (
        await db.query<Row>('select * from role where $1::text is null or scope = $1 order by scope, name', [
          scope ?? null,
        ])
      ).map(roleOf),

    async named(name, scope) {
      const [row] = await db.query<Row>('select * from role where name = $1 and scope = $2', [name, scope]);
      return row && roleOf(row);
    },

    async idsOf(names) {
      const rows = await db.query<{ id: string; name: string }>(
        `select id, name from role where scope = 'organisation' and name = any($1)`,
        [names],
      );
      const missing = names.find((name) => !rows.some((row) => row.name === name));
      if (missing !== undefined) throw unknown('invalid', missing);
      return rows.map(({ id }) => id);
    },

    put: ({ name, scope, description, permissions = [] }, by) =>
      db.transact(async () => {
        if (!roleName.test(name) || permissions.length > 500) throw new Refusal('role.malformed', { kind: 'invalid' });
        const wanted = [...new Set(permissions)].sort();
        await demandPermissions(wanted);
        const [row] = await db.query<{ id: string; made: boolean }>(
          `insert into role as r (id, name, scope, description, permissions, created_at, updated_at)
           values ($1, $2, $3, $4, $5, $6, $6)
           on conflict (scope, name) do update
             set description = excluded.description, permissions = excluded.permissions, updated_at = excluded.updated_at
             where (r.description, r.permissions) is distinct from (excluded.description, excluded.permissions)
           returning id, xmax = 0 as made`,
          [newId(), name, scope, description?.slice(0, 500) ?? null, wanted, clock.now()],
        );
        if (!row) return false;
        await events.record({ type: row.made ? 'role.created' : 'role.changed', ...by, data: { role: row.id } });
        return true;
      }),

    remove: (id, by) =>
      db.transact(async () => {
        const removed = isId(id) ? await db.query('delete from role where id = $1 returning 1', [id]) : [];
        if (removed.length === 0) throw unknown();
        await db.query(
          `update organisation_invitation set role_ids = array_remove(role_ids, $1) where $1 = any(role_ids)`,
          [id],
        );
        await events.record({ type: 'role.removed', ...by, data: { role: id } });
      }),

    assign: (roleId, subject, by) =>
      db.transact(async () => {
        // Locked, so that it is not removed meanwhile.
        const locked = isId(roleId) ? await db.query('select 1 from role where id = $1 for key share', [roleId]) : [];
        const role = locked.length > 0 ? await find(roleId) : undefined;
        if (!role) throw unknown();
        await demandFit(role, subject);
        const rows = await db.query(
          `insert into role_assignment (role_id, subject_id, subject_kind, assigned_at) values ($1, $2, $3, $4)
           on conflict do nothing returning 1`,
          [roleId, subject.id, subject.kind, clock.now()],
        );
        if (rows.length === 0) return false;
        await told('role.assigned', roleId, subject, by);
        return true;
      }),

    withdraw: (roleId, subject, by) =>
      db.transact(async () => {
        if (!isId(roleId) || !isId(subject.id)) return false;
        const rows = await db.query(
          'delete from role_assignment where role_id = $1 and subject_id = $2 and subject_kind = $3 returning 1',
          [roleId, subject.id, subject.kind],
        );
        if (rows.length === 0) return false;
        await told('role.withdrawn', roleId, subject, by);
        return true;
      }),

    async subjects(roleId, { after = '00000000-0000-0000-0000-000000000000', limit = 100 } = {}) {
      if (!isId(roleId)) return [];
      return db.query<RoleSubject>(
        `select subject_kind as kind, subject_id as id from role_assignment
         where role_id = $1 and subject_id > $2 order by subject_id limit $3`,
        [roleId, after, Math.min(limit, 1_000)],
      );
    },

    async assignedTo({ kind, id }) {
      if (!isId(id)) return [];
      const rows = await db.query<Row>(
        `select r.* from role_assignment a join role r on r.id = a.role_id
         where a.subject_id = $1 and a.subject_kind = $2 order by r.name`,
        [id, kind],
      );
      return rows.map(roleOf);
    },
  };
}
