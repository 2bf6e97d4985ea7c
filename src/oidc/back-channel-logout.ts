import type { Provider } from 'oidc-provider';
import type { Outbox } from '../events/index.ts';

export const logoutTopic = 'back-channel-logout';

/** One session of one application that ended. */
export interface EndedAuthorization {
  clientId: string;
  accountId: string;
  sid: string;
}

interface LogoutClient {
  clientId: string;
  backchannelLogoutUri?: string;
  backchannelLogout(accountId: string, sid: string): Promise<void>;
}

const sendByEngine = new WeakMap<Provider, LogoutClient['backchannelLogout']>();

/**
 * OpenID Connect Back-Channel Logout 1.0, section 2.5, told at least once: the engine would post once, inside the
 * request, and only at a sign-out. Instead whatever ends a session queues its logouts ({@link queueLogout}) in the same
 * transaction, and the outbox tries until the application has heard.
 */
export function leaveLogoutToOutbox(provider: Provider): void {
  const prototype = provider.Client.prototype as unknown as LogoutClient;
  sendByEngine.set(provider, prototype.backchannelLogout);
  Object.defineProperty(prototype, 'backchannelLogout', {
    value: async () => {},
  });
}

/**
 * Queues a logout for each application; call inside the transaction that ends the sessions. They carry no key: their
 * order means nothing, one application's refusal of one session must not hold up its others, and two people who sign
 * out of the same applications at once must not wait for each other, each holding what the other needs.
 */
export async function queueLogout(outbox: Outbox, ended: readonly EndedAuthorization[]): Promise<void> {
  for (const one of ended) await outbox.enqueue(logoutTopic, { ...one });
}

/** The outbox's consumer: builds the logout token anew, so that its `iat` and key are fresh, and posts it. */
export async function deliverLogout(
  provider: Provider,
  { clientId, accountId, sid }: EndedAuthorization,
): Promise<void> {
  const client = (await provider.Client.find(clientId)) as unknown as LogoutClient | undefined;
  if (!client?.backchannelLogoutUri) return;
  await sendByEngine.get(provider)!.call(client, accountId, sid);
}
