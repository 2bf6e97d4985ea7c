import { z } from 'zod';
import { Refusal } from '../../platform/index.ts';
import type { Invitation } from '../../users/index.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId, id, moment, shown, text } from '../schemas.ts';
import { at, createOrganisationAccess, managerRefusals, reads, roleNames, writes } from './organisation-access.ts';

const invitation = z
  .strictObject({
    id: id(),
    email: z.string(),
    invited_by: id().nullable(),
    created_at: moment(),
    expires_at: moment(),
  })
  .meta({ id: 'Invitation' });

const showInvitation = ({ id, email, invitedBy, createdAt, expiresAt }: Invitation) => ({
  ...{ id, email, invited_by: shown.text(invitedBy) },
  created_at: createdAt.toISOString(),
  expires_at: expiresAt.toISOString(),
});

/** Who is asked to become a member of an organisation. */
export function organisationInvitationRoutes(ports: ApiPorts): Route[] {
  const { organisations, present } = ports;
  const { invitations } = organisations;
  const access = createOrganisationAccess(ports);

  return [
    route({
      method: 'GET',
      path: `${at}/invitations`,
      ...{ ...reads, summary: 'List invitations' },
      details: 'Those not accepted yet, expired ones too.',
      params: byId,
      answer: z.strictObject({ items: z.array(invitation) }),
      refusals: managerRefusals,
      async handle({ params, caller }) {
        await access.demandMayRead(caller, params.id);
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
        await access.demandMayWrite(caller, params.id);
        await access.demandMayGive(caller, params.id, [], roles);
        const input = { organisationId: params.id, email, roles: await access.roleIds(roles) };
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
        await access.demandMayWrite(caller, params.id);
        if (!(await invitations.withdraw(params.id, params.invitation, by)))
          throw new Refusal('invitation.unknown', { kind: 'missing' });
        return {};
      },
    }),
  ];
}
