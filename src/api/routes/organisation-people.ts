import { z } from 'zod';
import { Refusal } from '../../platform/index.ts';
import {
  challengeName,
  domainOf,
  type Invitation,
  type OrganisationDomain,
  type OrganisationMember,
} from '../../users/index.ts';
import type { Caller } from '../bearer.ts';
import { invalid } from '../checks.ts';
import { createCursors } from '../cursors.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId, id, moment, pageOf, paging, shown, text } from '../schemas.ts';
import { createOrganisationAccess, forManagers, managerRefusals } from './organisation-access.ts';

const section = 'Organisations';

const member = z
  .strictObject({
    id: id(),
    name: z.string().nullable(),
    email: z.string().nullable(),
    joined_at: moment(),
    roles: z.array(z.string()).describe('Names of roles in it'),
  })
  .meta({ id: 'OrganisationMember' });
const invitation = z
  .strictObject({
    id: id(),
    email: z.string(),
    invited_by: id().nullable(),
    created_at: moment(),
    expires_at: moment(),
  })
  .meta({ id: 'Invitation' });
const domain = z
  .strictObject({
    domain: z.string(),
    proved_at: moment().nullable(),
    checked_at: moment().nullable(),
    record: z
      .strictObject({ name: z.string(), type: z.literal('TXT'), value: z.string() })
      .describe('What the DNS has to say, here or at the domain itself'),
  })
  .meta({ id: 'OrganisationDomain' });

const showMember = ({ accountId, name, email, joinedAt, roles }: OrganisationMember) => ({
  ...{ id: accountId, name: shown.text(name), email: shown.text(email), roles },
  joined_at: joinedAt.toISOString(),
});
const showInvitation = ({ id, email, invitedBy, createdAt, expiresAt }: Invitation) => ({
  ...{ id, email, invited_by: shown.text(invitedBy) },
  created_at: createdAt.toISOString(),
  expires_at: expiresAt.toISOString(),
});
const showDomain = ({ domain, record, provedAt, checkedAt }: OrganisationDomain) => ({
  domain,
  proved_at: shown.moment(provedAt),
  checked_at: shown.moment(checkedAt),
  record: { name: challengeName(domain), type: 'TXT' as const, value: record },
});

const roleNames = z.array(text(100)).max(100).optional().describe('Names of roles of organisations; all of them');
const byDomain = byId.extend({ domain: text(253) });

/** Who and what belongs to an organisation. */
export function organisationPeopleRoutes(ports: ApiPorts): Route[] {
  const { organisations, roles, present, db } = ports;
  const { members, invitations, domains } = organisations;
  const cursors = createCursors(ports);
  const writes = { section, scopes: ['directory.write'], ...forManagers } as const;
  const reads = { section, scopes: ['directory.read'], ...forManagers } as const;
  const at = '/admin/organisations/{id}';
  const access = createOrganisationAccess(ports);
  const mayRead = (caller: Caller, id: string) => access.demand(caller, id, 'directory.read');
  const mayWrite = (caller: Caller, id: string) => access.demand(caller, id, 'directory.write');
  const idsOf = async (names: readonly string[]): Promise<string[]> => {
    try {
      return await roles.idsOf(names);
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== 'role.unknown') throw error;
      throw invalid([
        {
          pointer: `/roles/${names.indexOf(String(error.details.name))}`,
          code: 'unknown',
          detail: 'There is no such role',
        },
      ]);
    }
  };

  return [
    route({
      method: 'GET',
      path: `${at}/members`,
      ...{ ...reads, summary: 'List the members of an organisation' },
      params: byId,
      query: z.strictObject(paging),
      answer: pageOf(member),
      refusals: [...managerRefusals, 'cursor.invalid'],
      async handle({ params, query: { limit, cursor }, caller }) {
        await mayRead(caller, params.id);
        const pages = cursors(caller, ['organisation', params.id]);
        const after = pages.after<string>(cursor);
        const rows = await members.list(params.id, { limit: limit + 1, ...(after !== undefined && { after }) });
        return { body: pages.page(rows, limit, showMember, ({ accountId }) => accountId) };
      },
    }),
    route({
      method: 'PUT',
      path: `${at}/members/{person}`,
      ...{ ...writes, summary: 'Make a person a member' },
      details:
        'Or give a member other roles: these and no others. Without roles those of a member stay. Who manages it invites others, and gives and takes no role that may do more than they may there.',
      params: byId.extend({ person: id() }),
      body: z.strictObject({ roles: roleNames }).optional(),
      answer: member,
      status: [200, 201],
      refusals: [...managerRefusals, 'organisation.member_unknown', 'user.unknown', 'role.not_held'],
      async handle({ params: { id, person }, body, by, caller }) {
        const wanted = await idsOf(body?.roles ?? []);
        return db.transact(async () => {
          await mayWrite(caller, id);
          const before = await members.find(id, person);
          if (!before && access.isManager(caller, 'directory.write'))
            throw new Refusal('organisation.member_unknown', { kind: 'missing' });
          if (body?.roles) await access.demandMayGive(caller, id, before?.roles ?? [], body.roles);
          const isNew = await members.add(id, person, by, wanted);
          if (!isNew && body?.roles) await members.setRoles(id, person, wanted, by);
          return { body: showMember((await members.find(id, person))!), status: isNew ? 201 : 200 };
        });
      },
    }),
    route({
      method: 'DELETE',
      path: `${at}/members/{person}`,
      ...{ ...writes, summary: 'End a membership' },
      params: byId.extend({ person: id() }),
      details: 'What applications hold for the person in this organisation is dead at its next use.',
      refusals: [...managerRefusals, 'organisation.member_unknown', 'role.not_held'],
      handle: ({ params: { id, person }, by, caller }) =>
        db.transact(async () => {
          await mayWrite(caller, id);
          const before = await members.find(id, person);
          if (!before) throw new Refusal('organisation.member_unknown', { kind: 'missing' });
          await access.demandMayGive(caller, id, before.roles, []);
          await members.remove(id, person, by);
          return {};
        }),
    }),
    route({
      method: 'GET',
      path: `${at}/invitations`,
      ...{ ...reads, summary: 'List invitations' },
      details: 'Those not accepted yet, expired ones too.',
      params: byId,
      answer: z.strictObject({ items: z.array(invitation) }),
      refusals: managerRefusals,
      async handle({ params, caller }) {
        await mayRead(caller, params.id);
        return { body: { items: (await invitations.list(params.id)).map(showInvitation) } };
      },
    }),
    route({
      method: 'POST',
      path: `${at}/invitations`,
      ...{ ...writes, summary: 'Invite to an organisation' },
      details: 'By letter, in place of an earlier one. Whoever proves to have the address may accept.',
      params: byId,
      body: z.strictObject({ email: z.string().min(3).max(254), roles: roleNames, locale: text(35).optional() }),
      answer: invitation,
      status: [201],
      refusals: [...managerRefusals, 'user.email_malformed', 'role.not_held', 'invitation.too_many', 'mail.too_many'],
      async handle({ params, body: { email, roles = [], locale }, by, ctx, caller }) {
        await mayWrite(caller, params.id);
        await access.demandMayGive(caller, params.id, [], roles);
        const input = { organisationId: params.id, email, roles: await idsOf(roles) };
        const made = await invitations.invite({ ...input, locale: locale ?? present.locale(ctx) }, by);
        return { body: showInvitation(made), status: 201 };
      },
    }),
    route({
      method: 'DELETE',
      path: `${at}/invitations/{invitation}`,
      ...{ ...writes, summary: 'Withdraw an invitation' },
      params: byId.extend({ invitation: id() }),
      refusals: [...managerRefusals, 'invitation.unknown'],
      async handle({ params, by, caller }) {
        await mayWrite(caller, params.id);
        if (!(await invitations.withdraw(params.id, params.invitation, by)))
          throw new Refusal('invitation.unknown', { kind: 'missing' });
        return {};
      },
    }),
    route({
      method: 'GET',
      path: `${at}/domains`,
      ...{ ...reads, summary: 'List the domains of an organisation' },
      params: byId,
      answer: z.strictObject({ items: z.array(domain) }),
      refusals: managerRefusals,
      async handle({ params, caller }) {
        await mayRead(caller, params.id);
        return { body: { items: (await domains.list(params.id)).map(showDomain) } };
      },
    }),
    route({
      method: 'PUT',
      path: `${at}/domains/{domain}`,
      ...{ ...writes, summary: 'Claim a domain' },
      details: 'It counts for nothing until it is proved by the TXT record of the answer.',
      params: byDomain,
      answer: domain,
      refusals: [...managerRefusals, 'domain.malformed', 'domain.too_many'],
      async handle({ params, by, caller }) {
        await mayWrite(caller, params.id);
        return { body: showDomain(await domains.claim(params.id, params.domain, by)) };
      },
    }),
    route({
      method: 'POST',
      path: `${at}/domains/{domain}/prove`,
      ...{ ...writes, summary: 'Prove a domain' },
      details: 'Looks for the TXT record now. It is looked at again every day.',
      params: byDomain,
      answer: domain,
      refusals: [...managerRefusals, 'domain.unknown', 'domain.unproved', 'domain.taken', 'domain.unreachable'],
      async handle({ params, by, caller }) {
        await mayWrite(caller, params.id);
        return { body: showDomain(await domains.prove(params.id, params.domain, by)) };
      },
    }),
    route({
      method: 'POST',
      path: `${at}/domains/{domain}/vouch`,
      ...{ section, scopes: ['directory.write'], summary: 'Vouch for a domain', dangerous: true, inPerson: true },
      details:
        'Takes your word in place of the record: whoever has an address there signs in as the organisation says.',
      params: byDomain,
      answer: domain,
      refusals: ['domain.unknown', 'domain.taken'],
      async handle({ params, by }) {
        await domains.vouch(params.id, params.domain, by);
        const listed = await domains.list(params.id);
        return { body: showDomain(listed.find(({ domain }) => domain === domainOf(params.domain))!) };
      },
    }),
    route({
      method: 'DELETE',
      path: `${at}/domains/{domain}`,
      ...{ ...writes, summary: 'Give up a domain' },
      params: byDomain,
      refusals: [...managerRefusals, 'domain.unknown'],
      async handle({ params, by, caller }) {
        await mayWrite(caller, params.id);
        if (!(await domains.remove(params.id, params.domain, by)))
          throw new Refusal('domain.unknown', { kind: 'missing' });
        return {};
      },
    }),
  ];
}
