import type { Middleware } from 'koa';
import { errors, type Provider } from 'oidc-provider';
import { addressKey, type Budget, type Limits } from '../platform/index.ts';
import type { Sessions } from '../sessions/index.ts';
import { routes } from './configuration.ts';
import { type Step, wrapGrant } from './engine-internals.ts';

const grantType = 'urn:ietf:params:oauth:grant-type:device_code';

/** A device that is told no interval waits five seconds (RFC 8628, section 3.2); a second is allowed for the way. */
const shortestPollSeconds = 4;

/** Tells a device that asks too often to slow down (section 3.5); the engine has the error and never throws it. */
export function slowDownPolling(provider: Provider, fleeting: Sessions['fleeting']): void {
  wrapGrant(
    provider,
    grantType,
    (engine: Step): Step =>
      async (ctx, next) => {
        try {
          await engine(ctx, next);
        } catch (error) {
          const code = ctx.oidc.params?.device_code;
          if (!(error instanceof errors.AuthorizationPending) || typeof code !== 'string') throw error;
          if (await fleeting.add('device-poll', code, true, shortestPollSeconds)) throw error;
          throw new errors.SlowDown('asked too often');
        }
      },
  );
}

/**
 * Each code typed in at the page could meet anybody's device (RFC 8628, section 5.1): so many tries from one address.
 */
export function limitUserCodes({ limits, budget }: { limits: Limits; budget: Budget }): Middleware {
  return async (ctx, next) => {
    if (ctx.method === 'POST' && ctx.path === routes.code_verification) await limits.demand(budget, addressKey(ctx.ip));
    await next();
  };
}

/**
 * A step taken without the session that the page began (cookies off, an old tab, a script) leads to the page anew: the
 * engine would fail, it changes a session that it then cannot save.
 */
export function askForCodeAgain(provider: () => Provider): Middleware {
  return async (ctx, next) => {
    const isStep =
      ctx.method === 'POST'
        ? ctx.path === routes.code_verification
        : ctx.method === 'GET' && ctx.path.startsWith(`${routes.code_verification}/`);
    if (!isStep || ctx.cookies.get(provider().cookieName('session'), { signed: true })) return next();
    ctx.redirect(routes.code_verification);
    ctx.status = 303;
  };
}
