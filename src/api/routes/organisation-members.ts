import { z } from 'zod';
import { Refusal } from '../../platform/index.ts';
import type { OrganisationMember } from '../../users/index.ts';
import { createCursors } from '../cursors.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId, id, moment, pageOf, paging, shown } from '../schemas.ts';
import { at, createOrganisationAccess, managerRefusals, reads, roleNames, writes } from './organisation-access.ts';

const member = z
  .strictObject({
    id: id(),
    name: z.string().nullable(),
    email: z.string().nullable(),
    joined_at: moment(),
    roles: z.array(z.string()).describe('Names of roles in it'),
  })
  .meta({ id: 'OrganisationMember' });

const showMember = ({ accountId, name, email, joinedAt, roles }: OrganisationMember) => ({
  ...{ id: accountId, name: shown.text(name), email: shown.text(email), roles },
  joined_at: joinedAt.toISOString(),
});

/** The members of an organisation, and the roles they have in it. */
export function organisationMemberRoutes(ports: ApiPorts): Route[] {
  const { db, organisations } = ports;
  const { members } = organisations;
  const cursors = createCursors(ports);
  const access = createOrganisationAccess(ports);

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
        await access.demandMayRead(caller, params.id);
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
        const wanted = await access.roleIds(body?.roles ?? []);
        return db.transact(async () => {
          await access.demandMayWrite(caller, id);
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
          await access.demandMayWrite(caller, id);
          const before = await members.find(id, person);
          if (!before) throw new Refusal('organisation.member_unknown', { kind: 'missing' });
          await access.demandMayGive(caller, id, before.roles, []);
          await members.remove(id, person, by);
          return {};
        }),
    }),
  ];
}
