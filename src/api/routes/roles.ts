import { z } from 'zod';
import { Refusal } from '../../platform/index.ts';
import type { By, NewRole, Role } from '../../users/index.ts';
import { invalid } from '../checks.ts';
import { createCursors } from '../cursors.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId, id, moment, pageOf, paging, shown, text } from '../schemas.ts';

const section = 'Roles and permissions';

const permission = z.strictObject({ name: z.string(), description: z.string().nullable() }).meta({ id: 'Permission' });
const scope = z.enum(['installation', 'organisation']);
const role = z
  .strictObject({
    id: id(),
    name: z.string(),
    scope: scope.describe('Of people and groups at large, or of members in each organisation'),
    description: z.string().nullable(),
    permissions: z.array(z.string()),
    created_at: moment(),
    updated_at: moment(),
  })
  .meta({ id: 'Role' });

/** As answers have it. */
export const showRole = (known: Role) => ({
  id: known.id,
  name: known.name,
  scope: known.scope,
  description: shown.text(known.description),
  permissions: known.permissions,
  created_at: shown.moment(known.createdAt)!,
  updated_at: shown.moment(known.updatedAt)!,
});
export const roleList = z.strictObject({ items: z.array(role) });

const what = { description: text(500).nullish(), permissions: z.array(text(100)).max(500).default([]) };
const kinds = { users: 'user', groups: 'group' } as const;
const subject = z.strictObject({ kind: z.enum(['user', 'group']), id: id() });
const ofRole = z.strictObject({ id: id(), kind: z.enum(['users', 'groups']), subject: id() });

/** Permissions are named actions, roles are sets of them; who has one has it with all groups inside theirs. */
export function roleRoutes(ports: ApiPorts): Route[] {
  const { permissions, roles, db } = ports;
  const cursors = createCursors(ports);
  const name = z.strictObject({ name: text(100) });

  const found = async (id: string): Promise<Role> => {
    const known = await roles.find(id);
    if (!known) throw new Refusal('role.unknown', { kind: 'missing' });
    return known;
  };
  /** A permission that there is not is a fault of the body. */
  const put = async (given: NewRole, by: By) => {
    try {
      await roles.put(given, by);
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== 'permission.unknown') throw error;
      const at = given.permissions?.indexOf(String(error.details.permission)) ?? 0;
      throw invalid([{ pointer: `/permissions/${at}`, code: 'unknown', detail: 'There is no such permission' }]);
    }
    return (await roles.named(given.name, given.scope))!;
  };

  return [
    route({
      method: 'GET',
      path: '/admin/permissions',
      ...{ section, summary: 'List the permissions', scopes: ['directory.read'] },
      answer: z.strictObject({ items: z.array(permission) }),
      async handle() {
        const known = await permissions.list();
        return { body: { items: known.map((each) => ({ ...each, description: shown.text(each.description) })) } };
      },
    }),
    route({
      method: 'PUT',
      path: '/admin/permissions/{name}',
      ...{ section, summary: 'Name a permission', scopes: ['directory.write'] },
      params: name,
      body: z.strictObject({ description: text(500).nullish() }).optional(),
      answer: permission,
      refusals: ['permission.malformed'],
      async handle({ params, body, by }) {
        const description = body?.description ?? undefined;
        await permissions.put({ name: params.name, description }, by);
        return { body: { name: params.name, description: shown.text(description) } };
      },
    }),
    route({
      method: 'DELETE',
      path: '/admin/permissions/{name}',
      ...{ section, summary: 'Remove a permission', scopes: ['directory.write'] },
      details: 'From every role as well, and so from everybody, at once.',
      params: name,
      refusals: ['permission.unknown'],
      async handle({ params, by }) {
        await permissions.remove(params.name, by);
        return {};
      },
    }),
    route({
      method: 'GET',
      path: '/admin/roles',
      ...{ section, summary: 'List the roles', scopes: ['directory.read'] },
      query: z.strictObject({ scope: scope.optional() }),
      answer: roleList,
      handle: async ({ query }) => ({ body: { items: (await roles.list(query.scope)).map(showRole) } }),
    }),
    route({
      method: 'POST',
      path: '/admin/roles',
      ...{ section, summary: 'Make a role', scopes: ['directory.write'] },
      body: z.strictObject({ name: text(100), scope, ...what }).meta({ id: 'NewRole' }),
      answer: role,
      status: [201],
      refusals: ['role.malformed', 'role.exists'],
      async handle({ body, by }) {
        const made = await db.transact(async () => {
          await db.lock('roles.name');
          if (await roles.named(body.name, body.scope)) throw new Refusal('role.exists', { kind: 'conflict' });
          return put({ ...body, description: body.description ?? undefined }, by);
        });
        return { body: showRole(made), status: 201, location: `/admin/roles/${made.id}` };
      },
    }),
    route({
      method: 'GET',
      path: '/admin/roles/{id}',
      ...{ section, summary: 'Read a role', scopes: ['directory.read'] },
      params: byId,
      answer: role,
      refusals: ['role.unknown'],
      handle: async ({ params }) => ({ body: showRole(await found(params.id)) }),
    }),
    route({
      method: 'PUT',
      path: '/admin/roles/{id}',
      ...{ section, summary: 'Say anew what a role may', scopes: ['directory.write'] },
      details: 'What its holders may changes at once; name and scope stay.',
      params: byId,
      body: z.strictObject(what).meta({ id: 'RoleContent' }),
      answer: role,
      refusals: ['role.unknown', 'role.malformed'],
      async handle({ params, body, by }) {
        const { name, scope } = await found(params.id);
        const after = { name, scope, description: body.description ?? undefined, permissions: body.permissions };
        return { body: showRole(await put(after, by)) };
      },
    }),
    route({
      method: 'DELETE',
      path: '/admin/roles/{id}',
      ...{ section, summary: 'Remove a role', scopes: ['directory.write'] },
      details: 'From everybody who has it, and from open invitations.',
      params: byId,
      refusals: ['role.unknown'],
      async handle({ params, by }) {
        await roles.remove(params.id, by);
        return {};
      },
    }),
    route({
      method: 'GET',
      path: '/admin/roles/{id}/holders',
      ...{ section, summary: 'List who was given a role', scopes: ['directory.read'] },
      details: 'Directly: members of a group that has it are not listed, nor members of organisations.',
      params: byId,
      query: z.strictObject(paging),
      answer: pageOf(subject),
      refusals: ['role.unknown', 'cursor.invalid'],
      async handle({ params, query: { limit, cursor } }) {
        await found(params.id);
        const question = ['role.holders', params.id];
        const after = cursors.read<string>(cursor, question);
        const subjects = await roles.subjects(params.id, { limit: limit + 1, ...(after !== undefined && { after }) });
        const items = subjects.slice(0, limit);
        return { body: { items, next: subjects.length > limit ? cursors.write(items.at(-1)!.id, question) : null } };
      },
    }),
    ...(['PUT', 'DELETE'] as const).map((method) =>
      route({
        method,
        path: '/admin/roles/{id}/{kind}/{subject}',
        ...{ section, summary: method === 'PUT' ? 'Give a role' : 'Take a role away', scopes: ['directory.write'] },
        details: 'Roles of the installation to people and groups, roles of organisations to groups of an organisation.',
        params: ofRole,
        refusals: method === 'PUT' ? ['role.unknown', 'role.subject_unknown', 'role.scope_mismatch'] : ['role.unknown'],
        async handle({ params, by }) {
          const to = { kind: kinds[params.kind], id: params.subject };
          await found(params.id);
          if (method === 'PUT') await roles.assign(params.id, to, by);
          else await roles.withdraw(params.id, to, by);
          return {};
        },
      }),
    ),
  ];
}
