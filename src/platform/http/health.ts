import type { Middleware } from 'koa';

/**
 * `/health/live`: the process answers. `/health/ready`: it may be sent requests; 503 while it starts, stops, or cannot
 * reach the database. Asked by address, so before the check of the host.
 */
export function health({ isReady }: { isReady: () => Promise<boolean> }): Middleware {
  return async (ctx, next) => {
    if (ctx.path !== '/health/live' && ctx.path !== '/health/ready') return next();
    const ready = ctx.path === '/health/live' || (await isReady().catch(() => false));
    ctx.set('cache-control', 'no-store');
    ctx.status = ready ? 200 : 503;
    ctx.body = { status: ready ? 'ok' : 'unavailable' };
  };
}
