import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import { addressKey, type Rate } from '../platform/index.ts';
import { type Step, wrapGrants } from './engine-internals.ts';

/**
 * How much a client may ask for. Counted once it has proved itself; a public one proves nothing, so it is counted by
 * address too, or a stranger could use up what is everybody's.
 */
export function countRequest(rate: Rate, { oidc, ip }: KoaContextWithOIDC): Promise<void> | undefined {
  const { clientId, clientAuthMethod } = oidc.client!;
  return rate.demand(clientAuthMethod === 'none' ? `${clientId} ${addressKey(ip)}` : clientId);
}

export function limitClientRequests(provider: Provider, rate: Rate): void {
  wrapGrants(
    provider,
    (engine: Step): Step =>
      async (ctx, next) => {
        await countRequest(rate, ctx);
        return engine(ctx, next);
      },
  );
}
