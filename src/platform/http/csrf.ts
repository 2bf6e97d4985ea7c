import type { Middleware } from 'koa';
import { randomToken, type Vault } from '../crypto.ts';
import { Refusal } from '../refusal.ts';
import { formBody, readForm } from './form.ts';
import type { AppContext } from './state.ts';

export interface Csrf {
  /** The token that this browser's forms carry in the field `csrf`; sets the cookie when there is none. */
  token(ctx: AppContext): string;
  /** Reads the form of an unsafe request and refuses one that did not come from our own page. */
  guard: Middleware;
}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);
const purpose = 'csrf';

/**
 * Double submit with a MAC: the field proves that the page was made for the browser that holds the cookie, and a
 * cookie planted from a sibling domain brings no field with it. Fetch metadata refuse the rest early.
 */
export function createCsrf({ vault, https }: { vault: Vault; https: boolean }): Csrf {
  const name = https ? '__Host-browser' : 'browser';
  const cookie = (ctx: AppContext): string => {
    const present = (ctx.state as { browser?: string }).browser ?? ctx.cookies.get(name, { signed: false });
    if (present && /^[\w-]{43}$/.test(present)) return present;
    const fresh = randomToken();
    ctx.cookies.set(name, fresh, {
      httpOnly: true,
      sameSite: 'lax',
      secure: https,
      path: '/',
      signed: false,
      overwrite: true,
    });
    (ctx.state as { browser?: string }).browser = fresh;
    return fresh;
  };

  return {
    token: (ctx) => vault.mac(cookie(ctx), purpose),
    async guard(ctx, next) {
      if (safeMethods.has(ctx.method)) return next();
      if (['cross-site', 'same-site'].includes(ctx.get('sec-fetch-site')))
        throw new Refusal('request.cross_site', { kind: 'forbidden' });
      await formBody(ctx, async () => {});
      const browser = ctx.cookies.get(name, { signed: false });
      const token = readForm(ctx as AppContext).csrf;
      if (!browser || !token || !vault.hasMac(browser, purpose, token)) {
        throw new Refusal('request.form_expired', { kind: 'forbidden' });
      }
      await next();
    },
  };
}
