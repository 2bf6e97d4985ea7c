import { Refusal } from '../../platform/index.ts';
import type { FactsReader } from '../roles/facts.ts';
import type { Role, Roles } from '../roles/roles.ts';
import type { OrganisationMembers } from './members.ts';

/** Whoever has it in an organisation looks after the organisation, and is told of what goes wrong with it. */
export const managePermission = 'organisation.manage';

/** What somebody may do to an organisation who is no administrator of the installation. */
export interface Managing {
  /**
   * @throws Refusal `organisation.unknown` (missing) for one they are not in: whether there is one is not told;
   *   `organisation.not_manager` (forbidden)
   */
  demandManager(organisationId: string, accountId: string): Promise<void>;
  /**
   * Nobody gives or takes what they do not have: all permissions of these roles must be theirs in the organisation.
   * @param roles names of roles of organisations @throws Refusal `role.not_held` (forbidden) with `details.role`
   */
  demandHolds(organisationId: string, accountId: string, roles: readonly string[]): Promise<void>;
}

export function createManaging(deps: {
  facts: Pick<FactsReader, 'factsOf'>;
  roles: Pick<Roles, 'list'>;
  members: Pick<OrganisationMembers, 'isMember'>;
}): Managing {
  const { facts, roles, members } = deps;

  const permissionsOf = async (organisationId: string, accountId: string): Promise<Set<string>> => {
    const { permissions, organisation } = await facts.factsOf(accountId, organisationId);
    return new Set([...permissions, ...(organisation?.permissions ?? [])]);
  };

  return {
    async demandManager(organisationId, accountId) {
      if ((await permissionsOf(organisationId, accountId)).has(managePermission)) return;
      if (await members.isMember(organisationId, accountId))
        throw new Refusal('organisation.not_manager', { kind: 'forbidden' });
      throw new Refusal('organisation.unknown', { kind: 'missing' });
    },

    async demandHolds(organisationId, accountId, names) {
      if (names.length === 0) return;
      const held = await permissionsOf(organisationId, accountId);
      const isBeyond = (role: Role) => role.permissions.some((permission) => !held.has(permission));
      const beyond = (await roles.list('organisation')).find((role) => names.includes(role.name) && isBeyond(role));
      if (beyond) throw new Refusal('role.not_held', { kind: 'forbidden', details: { role: beyond.name } });
    },
  };
}
