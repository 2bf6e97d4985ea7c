import { type ResourceServer as EngineResourceServer, errors } from 'oidc-provider';
import type { ResourceServers } from '../clients/index.ts';

/** RFC 8707: what an access token for this resource looks like. @throws errors.InvalidTarget for one we do not know */
export function createResourceServerInfo(resources: ResourceServers, settings: { accessTokenSeconds: number }) {
  return async (_ctx: unknown, identifier: string): Promise<EngineResourceServer> => {
    const server = await resources.find(identifier);
    if (!server) throw new errors.InvalidTarget('the resource is not known');
    return {
      audience: server.identifier,
      scope: Object.keys(server.scopes).join(' '),
      accessTokenFormat: server.tokenFormat,
      accessTokenTTL: server.tokenTtl ?? settings.accessTokenSeconds,
      ...(server.tokenFormat === 'jwt' ? { jwt: { sign: { alg: server.signingAlg ?? 'ES256' } } } : {}),
    } as EngineResourceServer;
  };
}
