import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { Keys } from '../keys/index.ts';
import type { Clock, Rate } from '../platform/index.ts';
import type { Sessions } from '../sessions/index.ts';
import type { createAnswer } from './answer.ts';
import { createJwtReader, looksLikeJwt } from './jwt.ts';
import type { KnownCallers } from './short-way.ts';

export interface TokenEndpointPorts {
  keys: Keys;
  sessions: Pick<Sessions, 'revokeJwt'>;
  issuer: string;
  clock: Clock;
  answer: ReturnType<typeof createAnswer>;
  callers: KnownCallers;
  /** How much a client may ask for. */
  rate: Rate;
}

/** What answers at the introspection (RFC 7662) and revocation (RFC 7009) endpoints once the engine knows the client. */
export function createTokenEndpoints({ sessions, answer, callers, rate, ...ports }: TokenEndpointPorts) {
  const jwts = createJwtReader(ports);

  return (_provider: Provider) => ({
    async introspect(ctx: KoaContextWithOIDC, _engine: () => Promise<void>) {
      const { clientId, clientAuthMethod } = ctx.oidc.client!;
      const caller = { clientId, isPublic: clientAuthMethod === 'none' };
      // A public one is told nothing, and could be anybody.
      if (!caller.isPublic) await rate.demand(clientId);
      ctx.body = await answer(caller, String(ctx.oidc.params!.token));
      // Whose answers are encrypted is answered by the engine.
      if (caller.isPublic || ctx.oidc.client!.introspectionEncryptedResponseAlg) return;
      await callers.remember(ctx.req, clientId, caller);
    },

    async revoke(ctx: KoaContextWithOIDC, engine: () => Promise<void>) {
      const token = String(ctx.oidc.params!.token);
      if (ctx.oidc.client!.clientAuthMethod !== 'none') await rate.demand(ctx.oidc.client!.clientId);
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
