import type { Provider } from 'oidc-provider';
import type { Clients } from '../clients/index.ts';
import type { Standing } from '../users/index.ts';

/** What a token hangs on. */
export interface TokenOrigin {
  clientId: string;
  /** The client itself when there is no person behind the token. */
  subject: string;
  grantId?: string | undefined;
  /** The session the token ends with, if it does. */
  sessionUid?: string | undefined;
}

/**
 * Whether what a token hangs on still stands: its client, the grant, the session when it ends with it, and the person.
 * The one place that knows; whatever the token's format and whoever asks.
 * @returns undefined when the token is dead; `accountId` is absent when there is no person behind it
 */
export function createStandingBehind({ clients, standing }: { clients: Clients; standing: Standing }) {
  return async (provider: Provider, origin: TokenOrigin): Promise<{ accountId?: string } | undefined> => {
    const { clientId, subject, grantId, sessionUid } = origin;
    if (!(await clients.find(clientId))) return undefined;
    // Client credentials: there is no person and no grant behind the token.
    if (grantId === undefined) return subject === clientId ? {} : undefined;
    const grant = await provider.Grant.find(grantId);
    if (!grant?.accountId || grant.clientId !== clientId || !(await standing.stands(grant.accountId))) return undefined;
    const { accountId } = grant;
    if (sessionUid === undefined) return { accountId };
    const session = await provider.Session.findByUid(sessionUid);
    return session?.accountId === accountId && session.grantIdFor(clientId) === grantId ? { accountId } : undefined;
  };
}
