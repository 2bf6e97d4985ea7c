import { z } from 'zod';
import { Refusal } from '../../platform/index.ts';
import type { Caller } from '../bearer.ts';
import { createCursors } from '../cursors.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId, id, pageOf, paging, text } from '../schemas.ts';

const section = 'People';

const group = z.strictObject({ id: id(), display_name: z.string() });
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

/** Groups of people with many of them; and the question whether somebody may do something. */
export function belongingRoutes(ports: ApiPorts): Route[] {
  const { users, groups, facts } = ports;
  const cursors = createCursors(ports);
  const demandUser = async (id: string) => {
    const user = await users.byId(id);
    if (!user) throw new Refusal('user.unknown', { kind: 'missing' });
    return user;
  };
  const groupsOf = async (id: string, caller: Caller, { limit, cursor }: z.output<z.ZodObject<typeof paging>>) => {
    const pages = cursors(caller, ['groups.of', id]);
    const rows = await groups.pageOf(id, { limit: limit + 1, after: pages.after<string>(cursor) });
    const show = ({ id, displayName }: (typeof rows)[0]) => ({ id, display_name: displayName });
    return { body: pages.page(rows, limit, show, ({ id }) => id) };
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
      handle: ({ caller, query }) => groupsOf(caller.accountId!, caller, query),
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
      async handle({ params, query, caller }) {
        await demandUser(params.id);
        return groupsOf(params.id, caller, query);
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
