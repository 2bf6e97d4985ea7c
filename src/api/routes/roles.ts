import { z } from 'zod';
import { Refusal } from '../../platform/index.ts';
import { permissionName, type Role } from '../../users/index.ts';
import { invalid } from '../checks.ts';
import { etagOf } from '../conditions.ts';
import { createCursors } from '../cursors.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId, id, moment, pageOf, paging, shown, text } from '../schemas.ts';

const section = 'Roles';

const permission = z.strictObject({ name: z.string(), description: z.string().nullable() }).meta({ id: 'Permission' });
const nameOfPermission = z.string().regex(permissionName, 'As orders:refund');

const scope = z.enum(['installation', 'organisation']);
const role = z
  .strictObject({
    id: id(),
    name: z.string(),
    scope: scope.describe('Assigned to people and groups of the installation, or held in organisations'),
    description: z.string().nullable(),
    permissions: z.array(z.string()),
    created_at: moment(),
    updated_at: moment(),
  })
  .meta({ id: 'Role' });

const described = {
  description: text(500).nullish(),
  permissions: z.array(nameOfPermission).max(500).optional().describe('All of them'),
};
const created = z.strictObject({ name: text(100), scope, ...described }).meta({ id: 'NewRole' });
const change = z.strictObject(described).meta({ id: 'RoleChange' });

const show = ({ description, createdAt, updatedAt, ...role }: Role) => ({
  ...role,
  description: shown.text(description),
  created_at: createdAt.toISOString(),
  updated_at: updatedAt.toISOString(),
});
const versionOf = ({ updatedAt }: Role) => updatedAt.getTime().toString(36);
const reply = (role: Role) => ({ body: show(role), etag: etagOf(versionOf(role)) });

/** Named actions, sets of them, and who has those. */
export function roleRoutes(ports: ApiPorts): Route[] {
  const { roles, permissions, db } = ports;
  const cursors = createCursors(ports);
  const writes = { section, scopes: ['directory.write'] } as const;
  const reads = { section, scopes: ['directory.read'] } as const;
  const found = async (id: string): Promise<Role> => {
    const role = await roles.find(id);
    if (!role) throw new Refusal('role.unknown', { kind: 'missing' });
    return role;
  };
  const assigned = ['role.unknown', 'role.subject_unknown', 'role.scope_mismatch'] as const;
  const assignment = (kind: 'user' | 'group') => [
    route({
      method: 'PUT',
      path: `/admin/roles/{id}/${kind}s/{subject}`,
      ...{ ...writes, summary: `Give a role to a ${kind === 'user' ? 'person' : 'group'}` },
      params: byId.extend({ subject: id() }),
      refusals: assigned,
      async handle({ params, by }) {
        await roles.assign(params.id, { kind, id: params.subject }, by);
        return {};
      },
    }),
    route({
      method: 'DELETE',
      path: `/admin/roles/{id}/${kind}s/{subject}`,
      ...{ ...writes, summary: `Take a role from a ${kind === 'user' ? 'person' : 'group'}` },
      params: byId.extend({ subject: id() }),
      refusals: ['role.unknown'],
      async handle({ params, by }) {
        await found(params.id);
        await roles.withdraw(params.id, { kind, id: params.subject }, by);
        return {};
      },
    }),
  ];

  return [
    route({
      method: 'GET',
      path: '/admin/permissions',
      ...{ ...reads, summary: 'List permissions' },
      answer: z.strictObject({ items: z.array(permission) }),
      handle: async () => ({
        body: {
          items: (await permissions.list()).map(({ name, description }) => ({
            name,
            description: shown.text(description),
          })),
        },
      }),
    }),
    route({
      method: 'PUT',
      path: '/admin/permissions/{name}',
      ...{ ...writes, summary: 'Name a permission' },
      details: 'A named action that applications ask about. It means nothing here; roles collect them.',
      params: z.strictObject({ name: nameOfPermission }),
      body: z.strictObject({ description: text(500).nullish() }).optional(),
      answer: permission,
      refusals: ['permission.malformed'],
      async handle({ params: { name }, body, by }) {
        await permissions.put({ name, description: body?.description ?? undefined }, by);
        return { body: { name, description: shown.text(body?.description) } };
      },
    }),
    route({
      method: 'DELETE',
      path: '/admin/permissions/{name}',
      ...{ ...writes, summary: 'Remove a permission' },
      details: 'From every role, too.',
      params: z.strictObject({ name: nameOfPermission }),
      refusals: ['permission.unknown'],
      async handle({ params, by }) {
        await permissions.remove(params.name, by);
        return {};
      },
    }),
    route({
      method: 'GET',
      path: '/admin/roles',
      ...{ ...reads, summary: 'List roles' },
      query: z.strictObject({ scope: scope.optional() }),
      answer: z.strictObject({ items: z.array(role) }),
      handle: async ({ query }) => ({ body: { items: (await roles.list(query.scope)).map(show) } }),
    }),
    route({
      method: 'POST',
      path: '/admin/roles',
      ...{ ...writes, summary: 'Add a role' },
      details: 'Its name and scope stay.',
      body: created,
      answer: role,
      status: [201],
      refusals: ['role.exists', 'role.malformed'],
      handle: ({ body: { name, scope, description, permissions = [] }, by }) =>
        db.transact(async () => {
          await db.lock('roles');
          if (await roles.named(name, scope)) throw new Refusal('role.exists', { kind: 'conflict' });
          await put({ name, scope, description: description ?? undefined, permissions }, by);
          const made = (await roles.named(name, scope))!;
          return { ...reply(made), status: 201, location: `/admin/roles/${made.id}` };
        }),
    }),
    route({
      method: 'GET',
      path: '/admin/roles/{id}',
      ...{ ...reads, summary: 'Read a role' },
      params: byId,
      answer: role,
      refusals: ['role.unknown'],
      handle: async ({ params }) => reply(await found(params.id)),
    }),
    route({
      method: 'PATCH',
      path: '/admin/roles/{id}',
      ...{ ...writes, summary: 'Change a role' },
      details: 'Whoever has it may do what it says from then on; tokens say so when they are next issued.',
      params: byId,
      body: change,
      answer: role,
      ifMatch: 'honoured',
      refusals: ['role.unknown'],
      handle: ({ params, body, by, demandMatch }) =>
        db.transact(async () => {
          await db.lock('roles');
          const before = await found(params.id);
          demandMatch(versionOf(before));
          const { description = before.description, permissions = before.permissions } = body;
          await put({ name: before.name, scope: before.scope, description: description ?? undefined, permissions }, by);
          return reply(await found(params.id));
        }),
    }),
    route({
      method: 'DELETE',
      path: '/admin/roles/{id}',
      ...{ ...writes, summary: 'Remove a role' },
      details: 'Whoever has it has it no more.',
      params: byId,
      refusals: ['role.unknown'],
      async handle({ params, by }) {
        await roles.remove(params.id, by);
        return {};
      },
    }),
    route({
      method: 'GET',
      path: '/admin/roles/{id}/subjects',
      ...{ ...reads, summary: 'List who has a role' },
      details: 'People and groups to whom it was given directly.',
      params: byId,
      query: z.strictObject(paging),
      answer: pageOf(z.strictObject({ kind: z.enum(['user', 'group']), id: id() })),
      refusals: ['role.unknown', 'cursor.invalid'],
      async handle({ params, query: { limit, cursor }, caller }) {
        await found(params.id);
        const pages = cursors(caller, ['subjects', params.id]);
        const after = pages.after<string>(cursor);
        const rows = await roles.subjects(params.id, { limit: limit + 1, ...(after !== undefined && { after }) });
        return {
          body: pages.page(
            rows,
            limit,
            ({ kind, id }) => ({ kind, id }),
            ({ id }) => id,
          ),
        };
      },
    }),
    ...assignment('user'),
    ...assignment('group'),
  ];

  /** A permission that nobody has named is a fault of the body. */
  async function put(...[role, by]: Parameters<typeof roles.put>): Promise<void> {
    const known = new Set((await permissions.list()).map(({ name }) => name));
    const missing = (role.permissions ?? []).flatMap((name, at) => (known.has(name) ? [] : [at]));
    if (missing.length > 0) {
      throw invalid(
        missing.map((at) => ({ pointer: `/permissions/${at}`, code: 'unknown', detail: 'Nobody has named it' })),
      );
    }
    await roles.put(role, by);
  }
}
