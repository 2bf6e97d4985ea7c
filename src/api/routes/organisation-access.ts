import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { Refusal } from '../../platform/index.ts';
import type { Organisation } from '../../users/index.ts';
import type { Caller } from '../bearer.ts';
import { invalid } from '../checks.ts';
import type { ApiPorts } from '../ports.ts';
import { text } from '../schemas.ts';

// Whoever manages one organisation reaches it by the same routes as administrators, and no other by them.

/** For the description of a route: who is let in beside administrators and services. */
export const forManagers = { or: ['organisations.manage'] } as const;

export const section = 'Organisations';
/** The path of one. */
export const at = '/admin/organisations/{id}';
/** What routes about one share that only look, and those that change. */
export const reads = { section, scopes: ['directory.read'], ...forManagers } as const;
export const writes = { section, scopes: ['directory.write'], ...forManagers } as const;

/** Of a body that gives roles. */
export const roleNames = z
  .array(text(100))
  .max(100)
  .optional()
  .describe('Names of roles of organisations; all of them');

/** What a route refuses that managers reach. */
export const managerRefusals = ['organisation.unknown', 'organisation.not_manager'] as const;

/** The scope of administrators that the route asks for. */
type Reach = 'directory.read' | 'directory.write';

export interface OrganisationAccess {
  /** Whether the caller is here as a manager, and not as an administrator or service. */
  isManager(caller: Caller, reach: Reach): boolean;
  /** @throws Refusal `organisation.unknown` (missing), `organisation.not_manager` (forbidden) */
  demandMayRead(caller: Caller, organisationId: string): Promise<Organisation>;
  /** Throws as {@link demandMayRead}. */
  demandMayWrite(caller: Caller, organisationId: string): Promise<Organisation>;
  /** @throws Refusal `request.invalid` for a name that is no role's */
  roleIds(names: readonly string[]): Promise<string[]>;
  /** Who manages gives and takes only what they have. @param before, after names of roles @throws Refusal `role.not_held` */
  demandMayGive(
    caller: Caller,
    organisationId: string,
    before: readonly string[],
    after: readonly string[],
  ): Promise<void>;
}

export function createOrganisationAccess({
  organisations,
  roles,
}: Pick<ApiPorts, 'organisations' | 'roles'>): OrganisationAccess {
  const { managing } = organisations;
  const isManager: OrganisationAccess['isManager'] = ({ scopes }, reach) => !scopes.has(reach);
  const demand = async (caller: Caller, id: string, reach: Reach) => {
    if (isManager(caller, reach)) await managing.demandManager(id, caller.accountId!);
    const found = await organisations.find(id);
    if (!found) throw new Refusal('organisation.unknown', { kind: 'missing' });
    return found;
  };
  return {
    isManager,
    demandMayRead: (caller, id) => demand(caller, id, 'directory.read'),
    demandMayWrite: (caller, id) => demand(caller, id, 'directory.write'),
    async roleIds(names) {
      try {
        return await roles.idsOf(names);
      } catch (error) {
        if (!(error instanceof Refusal) || error.code !== 'role.unknown') throw error;
        const pointer = `/roles/${names.indexOf(String(error.details.name))}`;
        throw invalid([{ pointer, code: 'unknown', detail: 'There is no such role' }]);
      }
    },
    async demandMayGive(caller, id, before, after) {
      if (!isManager(caller, 'directory.write')) return;
      const changed = [...before, ...after].filter((name) => before.includes(name) !== after.includes(name));
      await managing.demandHolds(id, caller.accountId!, changed);
    },
  };
}

/**
 * Whose word on who people are is taken is not said by who manages a customer; nor what it is called in requests.
 * @throws Refusal `request.invalid`
 */
export function demandManagersOwn(
  before: Organisation,
  { name, policy }: { name?: string | undefined; policy?: Organisation['policy'] | undefined },
): void {
  const faults = [
    ...(name !== undefined && name !== before.name ? ['/name'] : []),
    ...(policy && !isDeepStrictEqual(policy.providers, before.policy.providers) ? ['/policy/providers'] : []),
  ];
  if (faults.length > 0)
    throw invalid(faults.map((pointer) => ({ pointer, code: 'read_only', detail: 'Only administrators change this' })));
}
