import type { Middleware } from 'koa';
import type { AppContext } from '../platform/http/index.ts';
import { Refusal, refusalHeaders, statusOfKind } from '../platform/index.ts';
import { type Problem, problemFrom } from './problems.ts';
import { prefix } from './serve.ts';

/** Headers that scripts of other origins may read and send. A token is asked for at each request, never a cookie. */
const crossOrigin = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers':
    'ETag, Location, Allow, Accept-Patch, Retry-After, RateLimit, RateLimit-Policy, WWW-Authenticate, Idempotency-Replayed, X-Request-Id',
};
const preflight = {
  'access-control-allow-methods': 'GET, POST, PUT, PATCH, DELETE',
  'access-control-allow-headers':
    'Authorization, DPoP, Content-Type, If-Match, If-None-Match, Idempotency-Key, Traceparent',
  'access-control-max-age': '7200',
};

/** Whatever is refused or goes wrong below `/api` leaves as problem+json (RFC 9457). */
export function problemBoundary({ issuer }: { issuer: string }): Middleware {
  const base = `${issuer}${prefix}/docs`;
  return async (ctx, next) => {
    const { state } = ctx as AppContext;
    ctx.set(crossOrigin);
    if (ctx.method === 'OPTIONS' && ctx.get('access-control-request-method') !== '') ctx.set(preflight);
    try {
      await next();
    } catch (thrown) {
      const refusal = refusalFrom(thrown);
      if (refusal) {
        const { code, kind, cause } = refusal;
        state.log().info({ refusal: code, kind, cause: (cause as Error | undefined)?.message }, 'refused');
        answer(ctx as AppContext, problemFrom(refusal, base, state.traceId), refusalHeaders(refusal));
      } else {
        state.log().error({ err: thrown }, 'a request failed');
        const internal = new Refusal('internal', { kind: 'unavailable' });
        answer(ctx as AppContext, problemFrom(internal, base, state.traceId));
      }
    }
  };
}

/** What koa and Node refuse by themselves carries a status (a malformed path, a body cut off). */
function refusalFrom(thrown: unknown): Refusal | undefined {
  if (thrown instanceof Refusal) return thrown;
  const { cause, status, code } = thrown instanceof Error ? (thrown as Error & { status?: number; code?: string }) : {};
  if (cause instanceof Refusal) return cause;
  if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE' || status === statusOfKind.invalid) {
    return new Refusal('request.malformed', { kind: 'invalid' });
  }
  return undefined;
}

function answer(ctx: AppContext, problem: Problem, headers: Record<string, string> = {}): void {
  ctx.status = problem.status;
  ctx.set('cache-control', 'no-store');
  ctx.set(headers);
  ctx.type = 'application/problem+json';
  ctx.body = JSON.stringify(problem);
}
