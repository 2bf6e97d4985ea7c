import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { Clients, ResourceServers } from '../clients/index.ts';
import type { Keys } from '../keys/index.ts';
import type { Clock } from '../platform/index.ts';
import type { Sessions } from '../sessions/index.ts';
import type { Standing } from '../users/index.ts';
import { type AccessTokenClaims, createJwtReader, looksLikeJwt } from './jwt.ts';
import { grantClaim, originOf, sessionClaim } from './origin.ts';
import { createStandingBehind } from './standing-behind.ts';

export interface TokenEndpointPorts {
  keys: Keys;
  clients: Clients;
  resources: ResourceServers;
  sessions: Sessions;
  standing: Standing;
  issuer: string;
  clock: Clock;
  /** Called with each answer given: for counting, so nothing in it may wait. */
  answered?: ((token: 'opaque' | 'jwt', active: boolean) => void) | undefined;
}

const dead = { active: false };

/** What answers at the introspection (RFC 7662) and revocation (RFC 7009) endpoints once the client is known. */
export function createTokenEndpoints(ports: TokenEndpointPorts) {
  const { resources, sessions, standing, answered } = ports;
  const behind = createStandingBehind(ports);
  const jwts = createJwtReader(ports);

  /** The same rule as for opaque tokens: a token's own client, or the resource server it was made for. */
  const mayAsk = async (client: { clientId: string; clientAuthMethod: string }, claims: AccessTokenClaims) =>
    client.clientAuthMethod !== 'none' &&
    (client.clientId === claims.client_id || resources.speaksFor(client.clientId, [claims.aud ?? []].flat()));

  const isLive = async (provider: Provider, claims: AccessTokenClaims): Promise<boolean> =>
    !(await sessions.isJwtRevoked(claims.jti)) && (await behind(provider, originOf(claims))) !== undefined;

  const introspectJwt = async (ctx: KoaContextWithOIDC, token: string): Promise<object> => {
    const claims = await jwts.read(token);
    if (!claims || !(await mayAsk(ctx.oidc.client as never, claims))) return dead;
    if (!(await isLive(ctx.oidc.provider, claims))) return dead;
    const { [grantClaim]: _grant, [sessionClaim]: _session, ...answer } = claims;
    return { active: true, ...answer, token_type: claims.cnf?.jkt ? 'DPoP' : 'Bearer' };
  };

  return (_provider: Provider) => ({
    async introspect(ctx: KoaContextWithOIDC, engine: () => Promise<void>) {
      const token = String(ctx.oidc.params!.token);
      if (looksLikeJwt(token)) {
        const answer = await introspectJwt(ctx, token);
        ctx.body = answer;
        answered?.('jwt', answer !== dead);
        return;
      }
      await engine();
      // The engine asks for the grant but never for the person.
      const found = ctx.oidc.entities.AccessToken ?? ctx.oidc.entities.RefreshToken;
      if (found?.accountId && !(await standing.stands(found.accountId))) ctx.body = dead;
      answered?.('opaque', (ctx.body as typeof dead).active);
    },

    async revoke(ctx: KoaContextWithOIDC, engine: () => Promise<void>) {
      const token = String(ctx.oidc.params!.token);
      if (!looksLikeJwt(token)) return engine();
      ctx.status = 200;
      ctx.body = '';
      const claims = await jwts.read(token, { expired: true });
      // Someone else's token is left alone, and the answer does not tell (RFC 7009, section 2.2).
      if (claims?.client_id === ctx.oidc.client!.clientId)
        await sessions.revokeJwt(claims.jti, new Date(claims.exp * 1000));
    },
  });
}
