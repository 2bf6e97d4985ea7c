import type Koa from 'koa';
import type { Middleware } from 'koa';
import { Refusal } from '../refusal.ts';

/**
 * Takes every request as one to the public address, whatever the last hop spoke: behind a proxy that ends TLS, URLs
 * come out as https and cookies as secure also when it forgets to say so.
 */
export function publicProtocol(koa: Koa, issuer: string): void {
  Object.defineProperty(koa.request, 'protocol', { value: new URL(issuer).protocol.slice(0, -1) });
}

/**
 * Refuses a Host that is not the issuer's, and a target that names another, before anything builds a URL from it:
 * discovery, redirects and letters would otherwise point where an attacker likes. Health checks come by address and are
 * asked before this.
 */
export function onlyHost(issuer: string): Middleware {
  const expected = new URL(issuer).host;
  return async (ctx, next) => {
    if (ctx.host !== expected || !ctx.originalUrl.startsWith('/'))
      throw new Refusal('request.host', { kind: 'invalid' });
    await next();
  };
}
