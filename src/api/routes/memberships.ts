import { z } from 'zod';
import { Refusal } from '../../platform/index.ts';
import type { ApiPorts } from '../ports.ts';
import { type Route, route } from '../route.ts';
import { byId, id, moment } from '../schemas.ts';

const section = 'People';

const memberships = z
  .strictObject({
    groups: z.array(z.strictObject({ id: id(), display_name: z.string() })).describe('Groups around their groups too'),
    roles: z.array(z.string()).describe('Of the installation, their own and their groups’'),
    permissions: z.array(z.string()).describe('Of those roles'),
    organisations: z.array(
      z.strictObject({
        id: id(),
        name: z.string(),
        display_name: z.string(),
        joined_at: moment(),
        roles: z.array(z.string()).describe('Given to them there themselves'),
      }),
    ),
  })
  .meta({ id: 'Memberships' });

/** What somebody belongs to and may do. */
export function membershipRoutes({ users, groups, facts, organisations }: ApiPorts): Route[] {
  const of = async (person: string) => {
    if (!(await users.byId(person))) throw new Refusal('user.unknown', { kind: 'missing' });
    const [inGroups, { roles, permissions }, belongs] = await Promise.all([
      groups.of(person),
      facts.factsOf(person),
      organisations.members.organisationsOf(person),
    ]);
    const body = {
      groups: inGroups.map(({ id, displayName }) => ({ id, display_name: displayName })),
      roles,
      permissions,
      organisations: belongs.map(({ id, name, displayName, joinedAt, roles }) => ({
        ...{ id, name, display_name: displayName, roles },
        joined_at: joinedAt.toISOString(),
      })),
    };
    return { body };
  };
  return [
    route({
      method: 'GET',
      path: '/users/me/memberships',
      ...{ section, summary: 'Read what you belong to', scopes: ['account.read'] },
      answer: memberships,
      handle: ({ caller }) => of(caller.accountId!),
    }),
    route({
      method: 'GET',
      path: '/users/{id}/memberships',
      ...{ section, summary: 'Read what a person belongs to', scopes: ['users.read'] },
      params: byId,
      answer: memberships,
      refusals: ['user.unknown'],
      handle: ({ params }) => of(params.id),
    }),
  ];
}
