import type { Middleware } from 'koa';
import { readBytes } from '../platform/http/index.ts';
import { Refusal } from '../platform/index.ts';
import { routes } from './configuration.ts';

/** Longest request that fits a URL everywhere on its way. */
const most = 12_000;

const posted: readonly string[] = [routes.authorization, routes.end_session];

/**
 * The authorization and logout endpoints take POST as well (OpenID Connect Core 1.0, section 3.1.2.1; RP-Initiated
 * Logout 1.0, section 2). A cross-site POST brings no `SameSite=Lax` cookie, and a weaker cookie is not worth it: the
 * form is turned into the GET that says the same, which does bring it.
 */
export const postedRequests: Middleware = async (ctx, next) => {
  if (ctx.method !== 'POST' || !posted.includes(ctx.path)) return next();
  if (!ctx.is('application/x-www-form-urlencoded')) throw new Refusal('request.media_type', { kind: 'invalid' });
  const body = await readBytes(ctx.req, most);
  if (!body) throw new Refusal('request.too_large', { kind: 'invalid' });
  ctx.redirect(`${ctx.path}?${new URLSearchParams(body.toString())}`);
  ctx.status = 303;
};
