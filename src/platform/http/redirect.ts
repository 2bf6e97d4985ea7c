import type { Context } from 'koa';

/** Sends the browser on with a GET, whatever it sent: 303, so that reloading and going back send nothing twice. */
export function goTo(ctx: Pick<Context, 'redirect' | 'status'>, to: string): void {
  ctx.redirect(to);
  ctx.status = 303;
}
