import { z } from 'zod';
import { type Organisation, organisationName, policySchema } from '../../users/index.ts';
import { etagOf } from '../conditions.ts';
import { createCursors } from '../cursors.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId, id, moment, pageOf, paging, text } from '../schemas.ts';
import {
  at,
  createOrganisationAccess,
  demandManagersOwn,
  forManagers,
  managerRefusals,
  section,
} from './organisation-access.ts';

const organisation = z
  .strictObject({
    id: id(),
    name: z.string().describe('Its handle, unique'),
    display_name: z.string(),
    policy: policySchema.meta({ id: 'OrganisationPolicy' }),
    created_at: moment(),
    updated_at: moment(),
  })
  .meta({ id: 'Organisation' });

const show = ({ id, name, displayName, policy, createdAt, updatedAt }: Organisation) => ({
  ...{ id, name, display_name: displayName, policy },
  created_at: createdAt.toISOString(),
  updated_at: updatedAt.toISOString(),
});
const reply = (organisation: Organisation) => ({ body: show(organisation), etag: etagOf(organisation.version) });

const handle = z.string().regex(organisationName, 'Small letters, digits and hyphens, beginning with a letter');
const policy = policySchema.describe('How its people sign in; the whole of it');
const created = z
  .strictObject({ name: handle, display_name: text(200).optional(), policy: policy.optional() })
  .meta({ id: 'NewOrganisation' });
const change = z
  .strictObject({ name: handle.optional(), display_name: text(200).optional(), policy: policy.optional() })
  .meta({ id: 'OrganisationChange' });

/** Bodies of people with members, roles in them, domains and a policy for signing in. */
export function organisationRoutes(ports: ApiPorts): Route[] {
  const { organisations } = ports;
  const cursors = createCursors(ports);
  const access = createOrganisationAccess(ports);
  const writes = { section, scopes: ['directory.write'] } as const;
  const reads = { section, scopes: ['directory.read'] } as const;

  return [
    route({
      method: 'GET',
      path: '/admin/organisations',
      ...{ ...reads, summary: 'List organisations' },
      query: z.strictObject({ name: text(200).optional().describe('What a name of theirs begins with'), ...paging }),
      answer: pageOf(organisation),
      refusals: ['cursor.invalid'],
      async handle({ query: { name, limit, cursor }, caller }) {
        const pages = cursors(caller, ['organisations', name ?? null]);
        const after = pages.after<string>(cursor);
        const rows = await organisations.list({
          limit: limit + 1,
          ...(name !== undefined && { prefix: name }),
          ...(after !== undefined && { after }),
        });
        return { body: pages.page(rows, limit, show, ({ id }) => id) };
      },
    }),
    route({
      method: 'POST',
      path: '/admin/organisations',
      ...{ ...writes, summary: 'Add an organisation' },
      body: created,
      answer: organisation,
      status: [201],
      refusals: ['organisation.exists', 'organisation.malformed'],
      async handle({ body: { name, display_name, policy }, by }) {
        const made = await organisations.create({ name, displayName: display_name, policy }, by);
        return { ...reply(made), status: 201, location: `/admin/organisations/${made.id}` };
      },
    }),
    route({
      method: 'GET',
      path: at,
      ...{ ...reads, ...forManagers, summary: 'Read an organisation' },
      params: byId,
      answer: organisation,
      refusals: managerRefusals,
      handle: async ({ params, caller }) => reply(await access.demandMayRead(caller, params.id)),
    }),
    route({
      method: 'PATCH',
      path: at,
      ...{ ...writes, ...forManagers, summary: 'Change an organisation' },
      details: 'Who manages it changes what people call it and how they sign in, not its name and its providers.',
      params: byId,
      body: change,
      answer: organisation,
      ifMatch: 'honoured',
      refusals: [...managerRefusals, 'organisation.exists', 'organisation.malformed'],
      handle: ({ params, body: { name, display_name, policy }, by, demandMatch, caller }) =>
        ports.db.transact(async () => {
          await access.demandMayWrite(caller, params.id);
          // Locks it: what it was before is compared with nobody in between.
          const before = await organisations.update(params.id, {}, by);
          demandMatch(before.version);
          if (access.isManager(caller, 'directory.write')) demandManagersOwn(before, { name, policy });
          return reply(await organisations.update(params.id, { name, displayName: display_name, policy }, by));
        }),
    }),
    route({
      method: 'DELETE',
      path: at,
      ...{ ...writes, summary: 'Remove an organisation', dangerous: true },
      details: 'With its members’ belonging to it, its invitations, domains and groups. The people stay.',
      params: byId,
      ifMatch: 'honoured',
      refusals: ['organisation.unknown'],
      handle: ({ params, by, demandMatch }) =>
        ports.db.transact(async () => {
          demandMatch((await organisations.update(params.id, {}, by)).version);
          await organisations.remove(params.id, by);
          return {};
        }),
    }),
  ];
}
