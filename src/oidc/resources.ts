import { type ResourceServer as EngineResourceServer, errors, type KoaContextWithOIDC } from 'oidc-provider';
import { type Clients, type ResourceServer, type ResourceServers, scopesNamedBy } from '../clients/index.ts';
import { factScopes } from '../users/index.ts';

export interface ResourcePorts {
  clients: Clients;
  resources: ResourceServers;
}

/** RFC 8707: what an access token for this resource looks like. @throws errors.InvalidTarget for one we do not know */
export function createResourceServerInfo(ports: ResourcePorts, settings: { accessTokenSeconds: number }) {
  const { clients, resources } = ports;

  /**
   * What the client may ask for here. Of our own APIs, and for itself, with no person who could agree or be asked to,
   * nothing unless somebody wrote it down for this client.
   */
  const scopesFor = async (server: ResourceServer, clientId: string, forItself: boolean): Promise<string[]> => {
    const all = Object.keys(server.scopes);
    // Every other API may be told what the person belongs to, where the application asks for it.
    if (!server.scopesByName && !forItself) return [...new Set([...all, ...factScopes])];
    const named = scopesNamedBy((await clients.find(clientId))?.metadata ?? {});
    const given = all.filter((scope) => named.includes(scope));
    if (given.length === 0) throw new errors.InvalidTarget('the resource is not open to this client');
    return given;
  };

  return async (
    ctx: KoaContextWithOIDC,
    identifier: string,
    client: { clientId: string },
  ): Promise<EngineResourceServer> => {
    const server = await resources.find(identifier);
    if (!server) throw new errors.InvalidTarget('the resource is not known');
    const forItself = ctx.oidc.route === 'token' && ctx.oidc.params?.grant_type === 'client_credentials';
    return {
      audience: server.identifier,
      scope: (await scopesFor(server, client.clientId, forItself)).join(' '),
      accessTokenFormat: server.tokenFormat,
      accessTokenTTL: server.tokenTtl ?? settings.accessTokenSeconds,
      ...(server.tokenFormat === 'jwt' ? { jwt: { sign: { alg: server.signingAlg ?? 'ES256' } } } : {}),
    } as EngineResourceServer;
  };
}

/**
 * What is meant when no `resource` is sent. Services that speak SCIM to us often cannot send one: a service that
 * proves itself and asks for scopes of our own APIs, or for nothing while its metadata names no others, means them.
 */
export function createDefaultResource({ clients, resources }: ResourcePorts, own: { identifier: string }) {
  return async (ctx: KoaContextWithOIDC, client: { clientId: string }, oneOf?: readonly string[]) => {
    if (oneOf) return oneOf[0];
    const params = ctx.oidc.params!;
    if (params.grant_type !== 'client_credentials') return undefined;
    const server = await resources.find(own.identifier);
    const known = Object.keys(server?.scopes ?? {});
    const named = scopesNamedBy((await clients.find(client.clientId))?.metadata ?? {});
    const asked = params.scope === undefined ? named : String(params.scope).split(' ');
    if (asked.length === 0 || !asked.every((scope) => known.includes(scope))) return undefined;
    const given = asked.filter((scope) => named.includes(scope));
    if (given.length === 0) throw new errors.InvalidScope('requested scope is not allowed', asked.join(' '));
    params.scope = given.join(' ');
    return own.identifier;
  };
}
