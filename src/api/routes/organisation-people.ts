import { z } from 'zod';
import { Refusal } from '../../platform/index.ts';
import type { Invitation, OrganisationMember } from '../../users/index.ts';
import type { Caller } from '../bearer.ts';
import { invalid } from '../checks.ts';
import { createCursors } from '../cursors.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId, id, moment, pageOf, paging, shown, text } from '../schemas.ts';
import { demandPlace, forManagers, isManager, section } from './organisations.ts';

const roleNames = z.array(text(100)).max(100).default([]).describe('Names of roles of organisations');

const member = z
  .strictObject({
    id: id(),
    name: z.string().nullable(),
    email: z.string().nullable(),
    roles: z.array(z.string()).describe('Given to the person themselves'),
    joined_at: moment(),
  })
  .meta({ id: 'OrganisationMember' });

const showMember = ({ accountId, name, email, roles, joinedAt }: OrganisationMember) => ({
  ...{ id: accountId, name: shown.text(name), email: shown.text(email), roles },
  joined_at: joinedAt.toISOString(),
});

const invitation = z
  .strictObject({
    id: id(),
    email: z.string(),
    roles: z.array(z.string()),
    invited_by: id().nullable(),
    created_at: moment(),
    expires_at: moment(),
  })
  .meta({ id: 'Invitation' });

const ofMember = z.strictObject({ id: id(), user: id() });
const ofInvitation = z.strictObject({ id: id(), invitation: id() });
const shared = ['organisation.unknown', 'organisation.not_manager'] as const;

/** Who belongs to an organisation, what they are there, and who is asked to join. */
export function organisationPeopleRoutes(ports: ApiPorts): Route[] {
  const { organisations, roles, db } = ports;
  const { members, invitations, managing } = organisations;
  const cursors = createCursors(ports);

  const idsOf = async (names: readonly string[]): Promise<string[]> => {
    try {
      return await roles.idsOf(names);
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== 'role.unknown') throw error;
      const at = names.indexOf(String(error.details.name));
      throw invalid([{ pointer: `/roles/${at}`, code: 'unknown', detail: 'There is no such role of organisations' }]);
    }
  };

  /** Who manages gives and takes only what they have. */
  const demandMayGive = async (caller: Caller, organisationId: string, before: string[], after: string[]) => {
    if (!isManager(caller, 'directory.write')) return;
    const changed = [...before, ...after].filter((name) => before.includes(name) !== after.includes(name));
    await managing.demandHolds(organisationId, caller.accountId!, changed);
  };

  const showInvitations = async (found: Invitation[]) => {
    const names = new Map((await roles.list('organisation')).map(({ id, name }) => [id, name]));
    return found.map((each) => ({
      id: each.id,
      email: each.email,
      roles: each.roleIds.flatMap((id) => names.get(id) ?? []),
      invited_by: shown.text(each.invitedBy),
      created_at: each.createdAt.toISOString(),
      expires_at: each.expiresAt.toISOString(),
    }));
  };

  return [
    route({
      method: 'GET',
      path: '/organisations/{id}/members',
      ...{ section, summary: 'List the members of an organisation', scopes: ['directory.read'], or: forManagers },
      params: byId,
      query: z.strictObject(paging),
      answer: pageOf(member),
      refusals: [...shared, 'cursor.invalid'],
      async handle({ params, caller, query: { limit, cursor } }) {
        await demandPlace(ports, caller, params.id, 'directory.read');
        const question = ['organisation.members', params.id];
        const after = cursors.read<string>(cursor, question);
        const found = await members.list(params.id, { limit: limit + 1, ...(after !== undefined && { after }) });
        const items = found.slice(0, limit).map(showMember);
        return { body: { items, next: found.length > limit ? cursors.write(items.at(-1)!.id, question) : null } };
      },
    }),
    route({
      method: 'PUT',
      path: '/organisations/{id}/members/{user}',
      ...{ section, summary: 'Make a person a member', scopes: ['directory.write'], or: forManagers },
      details:
        'With these roles and no others. Managers change the roles of who is a member; others they invite. Nobody gives or takes a role that may do more than they may there.',
      params: ofMember,
      body: z.strictObject({ roles: roleNames }),
      answer: member,
      status: [200, 201],
      refusals: [...shared, 'user.unknown', 'organisation.member_unknown', 'role.not_held'],
      async handle({ params: { id, user }, body, caller, by }) {
        const joined = await db.transact(async () => {
          await demandPlace(ports, caller, id, 'directory.write');
          const before = await members.find(id, user);
          if (!before && isManager(caller, 'directory.write'))
            throw new Refusal('organisation.member_unknown', { kind: 'missing' });
          await demandMayGive(caller, id, before?.roles ?? [], body.roles);
          const wanted = await idsOf(body.roles);
          if (await members.add(id, user, by, wanted)) return true;
          await members.setRoles(id, user, wanted, by);
          return false;
        });
        return { body: showMember((await members.find(id, user))!), status: joined ? 201 : 200 };
      },
    }),
    route({
      method: 'DELETE',
      path: '/organisations/{id}/members/{user}',
      ...{ section, summary: 'End a membership', scopes: ['directory.write'], or: forManagers },
      details: 'What applications hold for the person in this organisation is dead at its next use.',
      params: ofMember,
      refusals: [...shared, 'organisation.member_unknown', 'role.not_held'],
      async handle({ params: { id, user }, caller, by }) {
        await db.transact(async () => {
          await demandPlace(ports, caller, id, 'directory.write');
          const before = await members.find(id, user);
          if (!before) throw new Refusal('organisation.member_unknown', { kind: 'missing' });
          await demandMayGive(caller, id, before.roles, []);
          await members.remove(id, user, by);
        });
        return {};
      },
    }),
    route({
      method: 'GET',
      path: '/organisations/{id}/invitations',
      ...{ section, summary: 'List the open invitations', scopes: ['directory.read'], or: forManagers },
      details: 'Those that nobody has accepted, expired ones of the last month as well.',
      params: byId,
      answer: z.strictObject({ items: z.array(invitation) }),
      refusals: shared,
      async handle({ params, caller }) {
        await demandPlace(ports, caller, params.id, 'directory.read');
        return { body: { items: await showInvitations(await invitations.list(params.id)) } };
      },
    }),
    route({
      method: 'POST',
      path: '/organisations/{id}/invitations',
      ...{ section, summary: 'Invite somebody', scopes: ['directory.write'], or: forManagers },
      details:
        'By a letter, in place of an earlier one. Only who has proved this address can accept. The answer is the same whether or not the address has an account.',
      params: byId,
      body: z
        .strictObject({ email: z.string().min(3).max(254), roles: roleNames, locale: text(35).optional() })
        .meta({ id: 'NewInvitation' }),
      answer: invitation,
      status: [201],
      refusals: [...shared, 'user.email_malformed', 'role.not_held', 'invitation.too_many', 'mail.too_many'],
      async handle({ params, body: { email, locale, ...body }, caller, by }) {
        const made = await db.transact(async () => {
          await demandPlace(ports, caller, params.id, 'directory.write');
          await demandMayGive(caller, params.id, [], body.roles);
          const wanted = await idsOf(body.roles);
          return invitations.invite({ organisationId: params.id, email, roles: wanted, locale }, by);
        });
        return { body: (await showInvitations([made]))[0]!, status: 201 };
      },
    }),
    route({
      method: 'DELETE',
      path: '/organisations/{id}/invitations/{invitation}',
      ...{ section, summary: 'Take an invitation back', scopes: ['directory.write'], or: forManagers },
      params: ofInvitation,
      refusals: [...shared, 'invitation.unknown'],
      async handle({ params, caller, by }) {
        await demandPlace(ports, caller, params.id, 'directory.write');
        if (!(await invitations.withdraw(params.id, params.invitation, by)))
          throw new Refusal('invitation.unknown', { kind: 'missing' });
        return {};
      },
    }),
  ];
}
