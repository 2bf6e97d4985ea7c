import type { Context } from 'koa';
import type { ClientMetadata } from '../clients/index.ts';

/** Who calls, as this door needs to know it. */
export interface ScimCaller {
  clientId: string;
  client: ClientMetadata;
  /** The person behind the token; absent when the client calls for itself. */
  accountId?: string;
}

export type ScimScope = 'scim.read' | 'scim.write';

/** What this door asks of the rest of the house. */
export interface ScimPorts {
  issuer: string;
  /** Lets a request in by its access token; sets `WWW-Authenticate` and throws otherwise. */
  bearer(ctx: Context, wanted: { scopes: readonly ScimScope[] }): Promise<ScimCaller>;
}
