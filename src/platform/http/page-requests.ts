import type { Middleware } from 'koa';
import { addressKey, type Rate } from '../limits/index.ts';

/** What people's browsers ask for. The doors of services have limits of their own, by who asks. */
const kinds = new Set(['authorize', 'signin', 'account', 'setup', 'device', 'logout']);

/** So many requests from one address for pages of one kind; counted by what comes first in the path. */
export function limitPages(rate: Rate): Middleware {
  return async (ctx, next) => {
    const kind = ctx.path.slice(1, (ctx.path.indexOf('/', 1) + 1 || ctx.path.length + 1) - 1);
    if (kinds.has(kind)) await rate.demand(`${kind} ${addressKey(ctx.ip)}`);
    return next();
  };
}
