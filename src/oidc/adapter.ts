import type { Adapter, AdapterPayload } from 'oidc-provider';
import { type ClientMetadata, type Clients, scopesNamedBy, usesSecret } from '../clients/index.ts';
import type { Sessions } from '../sessions/index.ts';
import { allForEngine } from './faults.ts';

/** Stands where the engine insists on a secret; the real ones are compared by hash (`client-secret.ts`). */
const secretPlaceholder = 'kept by hash';

const withPlaceholder = (metadata: ClientMetadata): ClientMetadata =>
  usesSecret(metadata) ? { ...metadata, client_secret: secretPlaceholder } : metadata;

/**
 * The engine takes `scope` for OpenID scopes and refuses to know others. Those of APIs are looked up where they are given
 * out (`resources.ts`); what is left limits the client as RFC 7591 says.
 */
export function withoutApiScopes(metadata: ClientMetadata, openIdScopes: ReadonlySet<string>): ClientMetadata {
  if (metadata.scope === undefined) return metadata;
  const { scope: _, ...rest } = metadata;
  const left = scopesNamedBy(metadata).filter((name) => openIdScopes.has(name));
  return left.length > 0 ? ({ ...rest, scope: left.join(' ') } as ClientMetadata) : (rest as ClientMetadata);
}

/** The engine asks one adapter a model: clients come from their room, all else from the artifact store. */
export function createAdapterFactory(deps: {
  clients: Clients;
  sessions: Sessions;
  openIdScopes: () => ReadonlySet<string>;
}) {
  const { clients, sessions, openIdScopes } = deps;
  const refuse = async () => {
    throw new Error('clients are not changed through the engine');
  };
  const clientAdapter: Adapter = {
    async find(id) {
      const client = await clients.find(id);
      return client && (withoutApiScopes(withPlaceholder(client.metadata), openIdScopes()) as AdapterPayload);
    },
    upsert: refuse,
    destroy: refuse,
    consume: refuse,
    revokeByGrantId: refuse,
    findByUid: refuse,
    findByUserCode: refuse,
  };
  return (model: string): Adapter => (model === 'Client' ? allForEngine(clientAdapter) : sessions.adapter(model));
}
