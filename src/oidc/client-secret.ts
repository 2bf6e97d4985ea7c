import type { Provider } from 'oidc-provider';
import type { Clients } from '../clients/index.ts';

/** Client secrets are kept by hash, several at a time: the engine's comparison with a single clear one gives way. */
export function compareSecretsByHash(provider: Provider, clients: Clients): void {
  Object.defineProperty(provider.Client.prototype, 'compareClientSecret', {
    value(this: { clientId: string }, presented: string) {
      return clients.hasSecret(this.clientId, presented);
    },
  });
}
