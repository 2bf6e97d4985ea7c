import { z } from 'zod';
import { Refusal } from '../../platform/index.ts';
import type { Group } from '../../users/index.ts';
import { etagOf } from '../conditions.ts';
import { createCursors } from '../cursors.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId, id, moment, pageOf, paging, shown, text } from '../schemas.ts';
import { roleList, showRole } from './roles.ts';

const section = 'Groups';

const group = z
  .strictObject({
    id: id(),
    name: z.string(),
    external_id: z.string().nullable(),
    organisation: id().nullable().describe('Whose own group it is; null for one of the installation'),
    created_at: moment(),
    updated_at: moment(),
  })
  .meta({ id: 'Group' });

const show = (known: Group) => ({
  id: known.id,
  name: known.displayName,
  external_id: shown.text(known.externalId),
  organisation: shown.text(known.organisationId),
  created_at: shown.moment(known.createdAt)!,
  updated_at: shown.moment(known.updatedAt)!,
});

const reply = (known: Group) => ({ body: show(known), etag: etagOf(known.version) });
const member = z.strictObject({ kind: z.enum(['user', 'group']), id: id(), name: z.string().nullable() });
const ids = z.array(id()).max(2_000).default([]);

/** Sets of people and of other groups, nested as deep as one likes. */
export function groupRoutes(ports: ApiPorts): Route[] {
  const { groups, roles, organisations, db } = ports;
  const cursors = createCursors(ports);

  const found = async (id: string): Promise<Group> => {
    const known = await groups.find(id);
    if (!known) throw new Refusal('group.unknown', { kind: 'missing' });
    return known;
  };
  const page = <Item extends { id: string }>(rows: Item[], limit: number, question: unknown) => ({
    rows: rows.slice(0, limit),
    next: rows.length > limit ? cursors.write(rows[limit - 1]!.id, question) : null,
  });

  return [
    route({
      method: 'GET',
      path: '/admin/groups',
      ...{ section, summary: 'List the groups', scopes: ['directory.read'] },
      query: z.strictObject({
        prefix: text(200).optional().describe('How the name begins, in any case'),
        organisation: id().optional().describe('Only this organisation’s own'),
        ...paging,
      }),
      answer: pageOf(group),
      refusals: ['cursor.invalid'],
      async handle({ query: { limit, cursor, prefix, organisation } }) {
        const question = ['groups', prefix ?? null, organisation ?? null];
        const after = cursors.read<string>(cursor, question);
        const narrowed = {
          ...(prefix !== undefined && { prefix }),
          ...(organisation !== undefined && { organisationId: organisation }),
          ...(after !== undefined && { after }),
        };
        const { rows, next } = page(await groups.list({ ...narrowed, limit: limit + 1 }), limit, question);
        return { body: { items: rows.map(show), next } };
      },
    }),
    route({
      method: 'POST',
      path: '/admin/groups',
      ...{ section, summary: 'Make a group', scopes: ['directory.write'] },
      body: z
        .strictObject({
          name: text(256),
          external_id: text(254).nullish(),
          organisation: id().nullish(),
          members: ids.describe('Ids of people and groups'),
        })
        .meta({ id: 'NewGroup' }),
      answer: group,
      status: [201],
      refusals: ['group.name_malformed', 'group.member_unknown', 'group.cycle', 'organisation.unknown'],
      async handle({ body: { name, members, organisation, external_id }, by }) {
        const made = await db.transact(async () => {
          if (organisation && !(await organisations.find(organisation)))
            throw new Refusal('organisation.unknown', { kind: 'missing' });
          const externalId = external_id ?? undefined;
          const organisationId = organisation ?? undefined;
          return groups.create({ displayName: name, externalId, organisationId, members }, by);
        });
        return { ...reply(made), status: 201, location: `/admin/groups/${made.id}` };
      },
    }),
    route({
      method: 'GET',
      path: '/admin/groups/{id}',
      ...{ section, summary: 'Read a group', scopes: ['directory.read'] },
      params: byId,
      answer: group,
      refusals: ['group.unknown'],
      handle: async ({ params }) => reply(await found(params.id)),
    }),
    route({
      method: 'PATCH',
      path: '/admin/groups/{id}',
      ...{ section, summary: 'Rename a group', scopes: ['directory.write'] },
      params: byId,
      body: z
        .strictObject({ name: text(256).optional(), external_id: text(254).nullish() })
        .meta({ id: 'GroupChange' }),
      answer: group,
      ifMatch: 'honoured',
      refusals: ['group.unknown', 'group.name_malformed', 'group.changed'],
      async handle({ params, body, by, demandMatch, ctx }) {
        const edit = {
          ...(body.name !== undefined && { displayName: body.name }),
          ...(body.external_id !== undefined && { externalId: body.external_id }),
        };
        const { version } = await found(params.id);
        demandMatch(version);
        const seen = ctx.get('if-match') !== '' && { version };
        return reply(await groups.update(params.id, by, { ...edit, ...seen }));
      },
    }),
    route({
      method: 'DELETE',
      path: '/admin/groups/{id}',
      ...{ section, summary: 'Remove a group', scopes: ['directory.write'] },
      details: 'Its members stay what they are; the roles it was given are gone with it.',
      params: byId,
      ifMatch: 'honoured',
      refusals: ['group.unknown', 'group.changed'],
      async handle({ params, by, demandMatch, ctx }) {
        const { version } = await found(params.id);
        demandMatch(version);
        await groups.remove(params.id, by, ctx.get('if-match') === '' ? {} : { version });
        return {};
      },
    }),
    route({
      method: 'GET',
      path: '/admin/groups/{id}/members',
      ...{ section, summary: 'List the members of a group', scopes: ['directory.read'] },
      details: 'Those directly in it.',
      params: byId,
      query: z.strictObject(paging),
      answer: pageOf(member),
      refusals: ['group.unknown', 'cursor.invalid'],
      async handle({ params, query: { limit, cursor } }) {
        await found(params.id);
        const question = ['group.members', params.id];
        const after = cursors.read<string>(cursor, question);
        const members = await groups.members(params.id, { limit: limit + 1, ...(after !== undefined && { after }) });
        const { rows, next } = page(members, limit, question);
        return { body: { items: rows.map(({ display, ...each }) => ({ ...each, name: shown.text(display) })), next } };
      },
    }),
    route({
      method: 'POST',
      path: '/admin/groups/{id}/members',
      ...{ section, summary: 'Change who is in a group', scopes: ['directory.write'] },
      details: 'All or nothing. Who is in it already stays, who is not in it is left alone.',
      params: byId,
      body: z.strictObject({ add: ids, remove: ids }).meta({ id: 'MemberChange' }),
      answer: z.strictObject({ added: z.number().int(), removed: z.number().int() }),
      status: [200],
      refusals: ['group.unknown', 'group.member_unknown', 'group.cycle'],
      async handle({ params: { id }, body, by }) {
        const body_ = await db.transact(async () => {
          await groups.holdNesting(body.add);
          const removed = await groups.removeMembers(id, body.remove, by);
          return { added: await groups.addMembers(id, body.add, by), removed };
        });
        return { body: body_ };
      },
    }),
    route({
      method: 'GET',
      path: '/admin/groups/{id}/roles',
      ...{ section, summary: 'List the roles of a group', scopes: ['directory.read'] },
      params: byId,
      answer: roleList,
      refusals: ['group.unknown'],
      async handle({ params: { id } }) {
        await found(id);
        return { body: { items: (await roles.assignedTo({ kind: 'group', id })).map(showRole) } };
      },
    }),
  ];
}
