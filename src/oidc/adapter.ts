import type { Adapter, AdapterPayload } from 'oidc-provider';
import { type ClientMetadata, type Clients, usesSecret } from '../clients/index.ts';
import type { Sessions } from '../sessions/index.ts';
import { allForEngine } from './faults.ts';

/** Stands where the engine insists on a secret; the real ones are compared by hash (`client-secret.ts`). */
const secretPlaceholder = 'kept by hash';

const withPlaceholder = (metadata: ClientMetadata): ClientMetadata =>
  usesSecret(metadata) ? { ...metadata, client_secret: secretPlaceholder } : metadata;

/** The engine asks one adapter a model: clients come from their room, all else from the artifact store. */
export function createAdapterFactory({ clients, sessions }: { clients: Clients; sessions: Sessions }) {
  const refuse = async () => {
    throw new Error('clients are not changed through the engine');
  };
  const clientAdapter: Adapter = {
    async find(id) {
      const client = await clients.find(id);
      return client && (withPlaceholder(client.metadata) as AdapterPayload);
    },
    upsert: refuse,
    destroy: refuse,
    consume: refuse,
    revokeByGrantId: refuse,
    findByUid: refuse,
    findByUserCode: refuse,
  };
  return (model: string): Adapter =>
    allForEngine(model === 'Client' ? clientAdapter : (sessions.adapter(model) as Adapter));
}
