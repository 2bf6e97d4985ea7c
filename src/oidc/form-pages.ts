import type { Middleware } from 'koa';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { readEngineForm } from './pages.ts';
import type { Screens } from './screens.ts';

/** How the engine's page begins: pinned by the journeys of a device and of a changed account without JavaScript. */
const engineTitle = '<title>Submitting Callback</title>';

/**
 * At a device's code in the address, and when the account in the browser changes, the engine posts a form to itself
 * through a bare page of its own. Whoever browses without JavaScript would meet it: they get one of ours.
 */
export function ownFormPages(screens: Pick<Screens, 'formPost'>): Middleware {
  return async (ctx, next) => {
    await next();
    if (typeof ctx.body !== 'string' || !ctx.body.includes(engineTitle)) return;
    const { action, fields } = readEngineForm(ctx.body);
    screens.formPost(ctx as unknown as KoaContextWithOIDC, action, fields);
  };
}
