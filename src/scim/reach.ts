import type { Context } from 'koa';
import { ScimFault } from './faults.ts';
import type { Reach, ScimCaller } from './ports.ts';

/**
 * Everything a change is told of, and what there is for this client.
 * @throws ScimFault 403 when the client's own metadata are malformed
 */
export function reachOf(ctx: Context, { clientId, client, accountId }: ScimCaller): Reach {
  const domain = client.provisioning_domain as unknown;
  // A slip in a client's metadata must not open what it was to close.
  if (domain !== undefined && (typeof domain !== 'string' || domain === ''))
    throw new ScimFault(403, undefined, "the client's provisioning_domain is malformed");
  const actor =
    accountId === undefined
      ? { kind: 'client' as const, id: clientId }
      : { kind: 'administrator' as const, id: accountId };
  return {
    by: { actor, ip: ctx.ip },
    domain,
    vouches: client.provisioned_addresses_verified !== false,
  };
}
