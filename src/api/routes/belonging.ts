import { z } from 'zod';
import { Refusal } from '../../platform/index.ts';
import { createCursors } from '../cursors.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId, id, moment, pageOf, paging, text } from '../schemas.ts';
import { roleList, showRole } from './roles.ts';

const section = 'What people belong to';

const group = z.strictObject({ id: id(), name: z.string() });
const place = z.strictObject({
  id: id(),
  name: z.string(),
  display_name: z.string(),
  roles: z.array(z.string()).describe('Given to the person themselves'),
  joined_at: moment(),
});
const places = z.strictObject({ items: z.array(place) });
const names = () => z.array(z.string());

const access = z
  .strictObject({
    active: z.boolean().describe('Who is not active may nothing'),
    roles: names(),
    permissions: names(),
    organisation: z.strictObject({ id: id(), roles: names(), permissions: names() }).nullable(),
    allowed: z.boolean().nullable().describe('Whether the person may do what was asked about'),
  })
  .meta({ id: 'Access' });

/** The groups and organisations of a person, and what they may do: of oneself, and of anybody. */
export function belongingRoutes(ports: ApiPorts): Route[] {
  const { users, groups, roles, facts, organisations } = ports;
  const cursors = createCursors(ports);
  const demandUser = async (id: string) => {
    const user = await users.byId(id);
    if (!user) throw new Refusal('user.unknown', { kind: 'missing' });
    return user;
  };

  const groupsOf = async (id: string, { limit, cursor }: { limit: number; cursor?: string | undefined }) => {
    const question = ['groups.of', id];
    const after = cursors.read<string>(cursor, question);
    const found = await groups.pageOf(id, { limit: limit + 1, after });
    const items = found.slice(0, limit).map(({ id, displayName }) => ({ id, name: displayName }));
    return { body: { items, next: found.length > limit ? cursors.write(items.at(-1)!.id, question) : null } };
  };
  const placesOf = async (accountId: string) => {
    const found = await organisations.members.organisationsOf(accountId);
    const items = found.map(({ id, name, displayName, roles, joinedAt }) => ({
      ...{ id, name, display_name: displayName, roles },
      joined_at: joinedAt.toISOString(),
    }));
    return { body: { items } };
  };

  return [
    route({
      method: 'GET',
      path: '/users/me/groups',
      ...{ section, summary: 'List your groups', scopes: ['account.read'], orClaim: 'groups' },
      details:
        'Of the installation, those that yours are in as well. An access token for userinfo with the scope groups will do: this is where a claim with too many groups leads.',
      query: z.strictObject(paging),
      answer: pageOf(group),
      refusals: ['cursor.invalid'],
      handle: ({ caller, query }) => groupsOf(caller.accountId!, query),
    }),
    route({
      method: 'GET',
      path: '/users/me/organisations',
      ...{ section, summary: 'List your organisations', scopes: ['account.read'] },
      answer: places,
      handle: ({ caller }) => placesOf(caller.accountId!),
    }),
    route({
      method: 'GET',
      path: '/users/{id}/groups',
      ...{ section, summary: 'List the groups of a person', scopes: ['directory.read'] },
      details: 'Of the installation, those that theirs are in as well.',
      params: byId,
      query: z.strictObject(paging),
      answer: pageOf(group),
      refusals: ['user.unknown', 'cursor.invalid'],
      async handle({ params, query }) {
        await demandUser(params.id);
        return groupsOf(params.id, query);
      },
    }),
    route({
      method: 'GET',
      path: '/users/{id}/organisations',
      ...{ section, summary: 'List the organisations of a person', scopes: ['directory.read'] },
      params: byId,
      answer: places,
      refusals: ['user.unknown'],
      async handle({ params }) {
        await demandUser(params.id);
        return placesOf(params.id);
      },
    }),
    route({
      method: 'GET',
      path: '/users/{id}/roles',
      ...{ section, summary: 'List the roles of a person', scopes: ['directory.read'] },
      details: 'Of the installation, those given to the person themselves.',
      params: byId,
      answer: roleList,
      refusals: ['user.unknown'],
      async handle({ params: { id } }) {
        await demandUser(id);
        return { body: { items: (await roles.assignedTo({ kind: 'user', id })).map(showRole) } };
      },
    }),
    route({
      method: 'GET',
      path: '/users/{id}/access',
      ...{ section, summary: 'Ask what a person may do', scopes: ['directory.read'] },
      details:
        'At this moment: by roles of their own and of their groups, and in an organisation by what they are there. Roles of the installation hold in every organisation.',
      params: byId,
      query: z.strictObject({
        permission: text(100).optional().describe('The action asked about'),
        organisation: id().optional().describe('Where they would do it'),
      }),
      answer: access,
      refusals: ['user.unknown'],
      async handle({ params, query: { permission, organisation } }) {
        const active = (await demandUser(params.id)).mayHold();
        const nothing = { roles: [], permissions: [], organisation: undefined };
        const known = active ? await facts.factsOf(params.id, organisation) : nothing;
        const place = known.organisation;
        const may = [...known.permissions, ...(place?.permissions ?? [])];
        return {
          body: {
            active,
            roles: known.roles,
            permissions: known.permissions,
            organisation: place ? { id: place.id, roles: place.roles, permissions: place.permissions } : null,
            allowed: permission === undefined ? null : may.includes(permission),
          },
        };
      },
    }),
  ];
}
