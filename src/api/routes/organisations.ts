import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { Refusal } from '../../platform/index.ts';
import { type Organisation, policySchema } from '../../users/index.ts';
import type { Caller } from '../bearer.ts';
import { invalid } from '../checks.ts';
import { etagOf } from '../conditions.ts';
import { createCursors } from '../cursors.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId, id, moment, pageOf, paging, shown, text } from '../schemas.ts';

export const section = 'Organisations';

/** What those may reach who look after an organisation, beside administrators and services. */
export const forManagers = ['organisations.manage'] as const;

const organisation = z
  .strictObject({
    id: id(),
    name: z.string().describe('A handle, for URLs and the parameter organization'),
    display_name: z.string(),
    policy: policySchema.describe('How its people sign in'),
    created_at: moment(),
    updated_at: moment(),
  })
  .meta({ id: 'Organisation' });

const show = (known: Organisation) => ({
  id: known.id,
  name: known.name,
  display_name: known.displayName,
  policy: known.policy,
  created_at: shown.moment(known.createdAt)!,
  updated_at: shown.moment(known.updatedAt)!,
});

const reply = (known: Organisation) => ({ body: show(known), etag: etagOf(known.version) });

/** Whether the caller is here as one who manages this organisation, and not as an administrator or service. */
export const isManager = ({ scopes }: Caller, scope: 'directory.read' | 'directory.write'): boolean =>
  !scopes.has(scope);

/**
 * Lets administrators and services in, and of others who manages this very organisation.
 * @throws Refusal `organisation.unknown` (missing), `organisation.not_manager` (forbidden)
 */
export async function demandPlace(
  { organisations }: Pick<ApiPorts, 'organisations'>,
  caller: Caller,
  organisationId: string,
  scope: 'directory.read' | 'directory.write',
): Promise<Organisation> {
  if (isManager(caller, scope)) await organisations.managing.demandManager(organisationId, caller.accountId!);
  const known = await organisations.find(organisationId);
  if (!known) throw new Refusal('organisation.unknown', { kind: 'missing' });
  return known;
}

/** Bodies of people with members of their own, as customers are. */
export function organisationRoutes(ports: ApiPorts): Route[] {
  const { organisations } = ports;
  const cursors = createCursors(ports);

  return [
    route({
      method: 'GET',
      path: '/organisations',
      ...{ section, summary: 'List the organisations', scopes: ['directory.read'] },
      query: z.strictObject({ prefix: text(200).optional().describe('How one of its names begins'), ...paging }),
      answer: pageOf(organisation),
      refusals: ['cursor.invalid'],
      async handle({ query: { prefix, limit, cursor } }) {
        const question = ['organisations', prefix ?? null];
        const after = cursors.read<string>(cursor, question);
        const narrowed = { ...(prefix !== undefined && { prefix }), ...(after !== undefined && { after }) };
        const found = await organisations.list({ ...narrowed, limit: limit + 1 });
        const items = found.slice(0, limit).map(show);
        return { body: { items, next: found.length > limit ? cursors.write(items.at(-1)!.id, question) : null } };
      },
    }),
    route({
      method: 'POST',
      path: '/organisations',
      ...{ section, summary: 'Make an organisation', scopes: ['directory.write'] },
      body: z
        .strictObject({ name: text(63), display_name: text(200).optional(), policy: policySchema.optional() })
        .meta({ id: 'NewOrganisation' }),
      answer: organisation,
      status: [201],
      refusals: ['organisation.malformed', 'organisation.exists'],
      async handle({ body: { name, display_name, policy }, by }) {
        const made = await organisations.create({ name, displayName: display_name, policy }, by);
        return { ...reply(made), status: 201, location: `/organisations/${made.id}` };
      },
    }),
    route({
      method: 'GET',
      path: '/organisations/{id}',
      ...{ section, summary: 'Read an organisation', scopes: ['directory.read'], or: forManagers },
      params: byId,
      answer: organisation,
      refusals: ['organisation.unknown', 'organisation.not_manager'],
      handle: async ({ params, caller }) => reply(await demandPlace(ports, caller, params.id, 'directory.read')),
    }),
    route({
      method: 'PATCH',
      path: '/organisations/{id}',
      ...{ section, summary: 'Change an organisation', scopes: ['directory.write'], or: forManagers },
      details: 'Its own managers change what it is called for people and how they sign in, not its name and providers.',
      params: byId,
      body: z
        .strictObject({
          name: text(63).optional(),
          display_name: text(200).optional(),
          policy: policySchema.optional().describe('The whole of it'),
        })
        .meta({ id: 'OrganisationChange' }),
      answer: organisation,
      ifMatch: 'honoured',
      refusals: [
        'organisation.unknown',
        'organisation.not_manager',
        'organisation.malformed',
        'organisation.exists',
        'organisation.changed',
      ],
      async handle({ params, body: { name, display_name, policy }, caller, by, demandMatch, ctx }) {
        const before = await demandPlace(ports, caller, params.id, 'directory.write');
        if (isManager(caller, 'directory.write')) demandManagersOwn(before, { name, policy });
        const { version } = before;
        demandMatch(version);
        const edit = { name, displayName: display_name, policy };
        const seen = ctx.get('if-match') !== '' && { version };
        return reply(await organisations.update(params.id, { ...edit, ...seen }, by));
      },
    }),
    route({
      method: 'DELETE',
      path: '/organisations/{id}',
      ...{ section, summary: 'Remove an organisation', scopes: ['directory.write'] },
      details: 'Its groups, domains and invitations go with it. Its people keep their accounts.',
      params: byId,
      ifMatch: 'honoured',
      refusals: ['organisation.unknown', 'organisation.changed'],
      async handle({ params, by, caller, demandMatch, ctx }) {
        const { version } = await demandPlace(ports, caller, params.id, 'directory.write');
        demandMatch(version);
        await organisations.remove(params.id, by, ctx.get('if-match') === '' ? {} : { version });
        return {};
      },
    }),
  ];
}

/** To whom people are sent to prove who they are is not the word of who manages a customer. */
function demandManagersOwn(
  before: Organisation,
  { name, policy }: { name: string | undefined; policy: Organisation['policy'] | undefined },
): void {
  const faults = [
    ...(name !== undefined && name !== before.name ? ['/name'] : []),
    ...(policy && !isDeepStrictEqual(policy.providers, before.policy.providers) ? ['/policy/providers'] : []),
  ];
  if (faults.length > 0)
    throw invalid(faults.map((pointer) => ({ pointer, code: 'read_only', detail: 'Only administrators change this' })));
}
