import type { Context } from 'koa';
import * as oauth from 'oauth4webapi';
import type { ServerMetadata } from 'openid-client';
import type { Settings } from './settings.ts';

/** How fresh a sign-in must be before the API shows what it guards, in seconds. */
const MAX_AGE = 300;

/**
 * A protected API, as another service of yours would be: it takes JWT access tokens meant for it (RFC 9068; bound to a
 * key with DPoP, RFC 9449) and asks for a stronger or fresher sign-in where the token tells of too weak a one (RFC 9470).
 */
export function createApi(metadata: ServerMetadata, { issuer, resource, stepUpAcr, baseUrl }: Settings) {
  const plainHttp = issuer.protocol === 'http:';

  return async function api(ctx: Context): Promise<void> {
    ctx.set('Cache-Control', 'no-store');
    try {
      const request = new Request(new URL(ctx.url, baseUrl), { headers: ctx.headers as Record<string, string> });
      const claims = await oauth.validateJwtAccessToken(metadata, request, resource!, {
        [oauth.allowInsecureRequests]: plainHttp,
      });
      const age = Date.now() / 1000 - Number(claims.auth_time ?? 0);
      if ((stepUpAcr && claims.acr !== stepUpAcr) || age > MAX_AGE) return challenge(ctx, stepUpAcr);
      ctx.body = { message: 'The API knows you, and that it was you just now.', sub: claims.sub, acr: claims.acr };
    } catch (error) {
      // No token, or none that holds: the library says which in the words of RFC 6750.
      ctx.status = 401;
      const offered = ctx.get('authorization') !== '';
      ctx.set('WWW-Authenticate', offered ? 'Bearer error="invalid_token"' : 'Bearer');
      ctx.body = { error: offered ? 'invalid_token' : 'unauthorized', message: oneLine(error) };
    }
  };
}

function challenge(ctx: Context, acr: string | undefined) {
  ctx.status = 401;
  ctx.set(
    'WWW-Authenticate',
    [
      'Bearer error="insufficient_user_authentication"',
      'error_description="A stronger or more recent sign-in is needed"',
      ...(acr ? [`acr_values="${acr}"`] : []),
      `max_age="${MAX_AGE}"`,
    ].join(', '),
  );
  ctx.body = { error: 'insufficient_user_authentication' };
}

const oneLine = (error: unknown) => (error instanceof Error ? error.message.split('\n')[0] : 'refused');
