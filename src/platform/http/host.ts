import type { Middleware } from 'koa';
import { Refusal } from '../refusal.ts';

/**
 * Refuses a Host that is not the issuer's before anything builds a URL from it: discovery, redirects and letters
 * would otherwise point where an attacker likes. Health checks come by address and are asked before this.
 */
export function onlyHost(issuer: string): Middleware {
  const expected = new URL(issuer).host;
  return async (ctx, next) => {
    if (ctx.host !== expected) throw new Refusal('request.host', { kind: 'invalid' });
    await next();
  };
}
