import { z } from 'zod';
import { Refusal } from '../../platform/index.ts';
import type { Group } from '../../users/index.ts';
import { invalid } from '../checks.ts';
import { etagOf } from '../conditions.ts';
import { createCursors } from '../cursors.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId, id, moment, pageOf, paging, shown, text } from '../schemas.ts';

const section = 'Groups';
const mostMembers = 10_000;

const group = z
  .strictObject({
    id: id(),
    display_name: z.string(),
    external_id: z.string().nullable(),
    organisation: id().nullable().describe('An organisation’s own group; null for the installation’s'),
    created_at: moment(),
    updated_at: moment(),
  })
  .meta({ id: 'Group' });

const show = ({ id, displayName, externalId, organisationId, createdAt, updatedAt }: Group) => ({
  id,
  display_name: displayName,
  external_id: shown.text(externalId),
  organisation: shown.text(organisationId),
  created_at: createdAt.toISOString(),
  updated_at: updatedAt.toISOString(),
});
const reply = (group: Group) => ({ body: show(group), etag: etagOf(group.version) });

const member = z
  .strictObject({ id: id(), kind: z.enum(['user', 'group']), display: z.string().nullable() })
  .meta({ id: 'GroupMember' });

const ids = () => z.array(id()).max(mostMembers);
const created = z
  .strictObject({
    display_name: text(256),
    external_id: text(254).optional(),
    organisation: id().optional().describe('Makes it a group of this organisation'),
    members: ids().optional().describe('People and groups'),
  })
  .meta({ id: 'NewGroup' });
const change = z
  .strictObject({ display_name: text(256).optional(), external_id: text(254).nullish() })
  .meta({ id: 'GroupChange' });
const membersChange = z
  .strictObject({ add: ids().default([]), remove: ids().default([]) })
  .meta({ id: 'MembersChange' });

/** Sets of people and of other groups. */
export function groupRoutes(ports: ApiPorts): Route[] {
  const { groups, organisations, db } = ports;
  const cursors = createCursors(ports);
  const found = async (id: string): Promise<Group> => {
    const group = await groups.find(id);
    if (!group) throw new Refusal('group.unknown', { kind: 'missing' });
    return group;
  };
  const writes = { section, scopes: ['directory.write'] } as const;
  const reads = { section, scopes: ['directory.read'] } as const;
  const memberRefusals = ['group.unknown', 'group.member_unknown', 'group.cycle'] as const;

  return [
    route({
      method: 'GET',
      path: '/admin/groups',
      ...{ ...reads, summary: 'List groups' },
      query: z.strictObject({
        name: text(256).optional().describe('What their name begins with'),
        organisation: id().optional(),
        ...paging,
      }),
      answer: pageOf(group),
      refusals: ['cursor.invalid'],
      async handle({ query: { name, organisation, limit, cursor }, caller }) {
        const pages = cursors(caller, ['groups', name ?? null, organisation ?? null]);
        const after = pages.after<string>(cursor);
        const rows = await groups.list({
          limit: limit + 1,
          ...(name !== undefined && { prefix: name }),
          ...(organisation !== undefined && { organisationId: organisation }),
          ...(after !== undefined && { after }),
        });
        return { body: pages.page(rows, limit, show, ({ id }) => id) };
      },
    }),
    route({
      method: 'POST',
      path: '/admin/groups',
      ...{ ...writes, summary: 'Add a group' },
      body: created,
      bodyLimit: 1024 * 1024,
      answer: group,
      status: [201],
      refusals: ['group.name_malformed', 'group.member_unknown'],
      async handle({ body: { display_name, external_id, organisation, members }, by }) {
        if (organisation && !(await organisations.find(organisation))) {
          throw invalid([{ pointer: '/organisation', code: 'unknown', detail: 'There is no such organisation' }]);
        }
        const input = { displayName: display_name, externalId: external_id, organisationId: organisation };
        const made = await groups.create({ ...input, members: members ?? [] }, by);
        return { ...reply(made), status: 201, location: `/admin/groups/${made.id}` };
      },
    }),
    route({
      method: 'GET',
      path: '/admin/groups/{id}',
      ...{ ...reads, summary: 'Read a group' },
      params: byId,
      answer: group,
      refusals: ['group.unknown'],
      handle: async ({ params }) => reply(await found(params.id)),
    }),
    route({
      method: 'PATCH',
      path: '/admin/groups/{id}',
      ...{ ...writes, summary: 'Change a group' },
      params: byId,
      body: change,
      answer: group,
      ifMatch: 'honoured',
      refusals: ['group.unknown', 'group.name_malformed'],
      handle: async ({ params, body: { display_name, external_id }, by, demandMatch }) =>
        db.transact(async () => {
          const edit = {
            ...(display_name !== undefined && { displayName: display_name }),
            ...(external_id !== undefined && { externalId: external_id }),
          };
          // Locks it: what it was before is compared with nobody in between.
          const before = await groups.update(params.id, by, {});
          demandMatch(before.version);
          return reply(await groups.update(params.id, by, edit));
        }),
    }),
    route({
      method: 'DELETE',
      path: '/admin/groups/{id}',
      ...{ ...writes, summary: 'Remove a group' },
      details: 'Its members stay what they are.',
      params: byId,
      ifMatch: 'honoured',
      refusals: ['group.unknown'],
      handle: ({ params, by, demandMatch }) =>
        db.transact(async () => {
          await groups.holdNesting();
          demandMatch((await groups.update(params.id, by, {})).version);
          await groups.remove(params.id, by);
          return {};
        }),
    }),
    route({
      method: 'GET',
      path: '/admin/groups/{id}/members',
      ...{ ...reads, summary: 'List the members of a group' },
      details: 'Those directly in it. People of groups inside it are found by `/admin/users?group=`.',
      params: byId,
      query: z.strictObject(paging),
      answer: pageOf(member),
      refusals: ['group.unknown', 'cursor.invalid'],
      async handle({ params, query: { limit, cursor }, caller }) {
        await found(params.id);
        const pages = cursors(caller, ['members', params.id]);
        const rows = await groups.members(params.id, { after: pages.after<string>(cursor), limit: limit + 1 });
        const showMember = ({ id, kind, display }: (typeof rows)[0]) => ({ id, kind, display: shown.text(display) });
        return { body: pages.page(rows, limit, showMember, ({ id }) => id) };
      },
    }),
    route({
      method: 'POST',
      path: '/admin/groups/{id}/members',
      ...{ ...writes, summary: 'Change the members of a group' },
      details: 'All or nothing. Who is in it already, or is not, stays so.',
      params: byId,
      body: membersChange,
      bodyLimit: 1024 * 1024,
      answer: z.strictObject({ added: z.number().int(), removed: z.number().int() }),
      refusals: memberRefusals,
      handle: ({ params, body: { add, remove }, by }) =>
        db.transact(async () => {
          await groups.holdNesting(add);
          const added = await groups.addMembers(params.id, add, by);
          return { body: { added, removed: await groups.removeMembers(params.id, remove, by) } };
        }),
    }),
    route({
      method: 'PUT',
      path: '/admin/groups/{id}/members/{member}',
      ...{ ...writes, summary: 'Put into a group' },
      params: byId.extend({ member: id() }),
      refusals: memberRefusals,
      async handle({ params, by }) {
        await groups.addMembers(params.id, [params.member], by);
        return {};
      },
    }),
    route({
      method: 'DELETE',
      path: '/admin/groups/{id}/members/{member}',
      ...{ ...writes, summary: 'Take out of a group' },
      params: byId.extend({ member: id() }),
      refusals: ['group.unknown'],
      async handle({ params, by }) {
        await groups.removeMembers(params.id, [params.member], by);
        return {};
      },
    }),
  ];
}
