import { readFileSync } from 'node:fs';
import Koa, { type Context } from 'koa';
import { explain } from './errors.ts';
import { message } from './pages.ts';
import type { Routes } from './routes.ts';
import type { Settings } from './settings.ts';

/** The frame: headers, the stylesheet, and who answers what. `routes()` answers undefined until the provider is found. */
export function createApp(settings: Settings, routes: () => Routes | undefined): Koa {
  const app = new Koa();
  const style = readFileSync(new URL('style.css', import.meta.url), 'utf8');

  // Nothing but our own stylesheet may load, no script at all; forms lead to us and, through a redirect, to the provider.
  const policy = [
    "default-src 'none'",
    "style-src 'self'",
    'img-src data:',
    `form-action 'self' ${settings.issuer.origin}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; ');

  app.use(async (ctx) => {
    ctx.set({
      'Content-Security-Policy': policy,
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'same-origin',
      'Cache-Control': 'no-store',
    });
    try {
      await answer(ctx);
    } catch (error) {
      const { status, expected, ...said } = explain(error);
      if (!expected) console.error(error);
      say(ctx, status, said);
    }
  });

  async function answer(ctx: Context) {
    if (ctx.method === 'GET' && ctx.path === '/style.css') {
      ctx.set('Cache-Control', 'max-age=300');
      ctx.type = 'css';
      ctx.body = style;
      return;
    }
    const table = routes();
    if (!table) {
      ctx.set('Refresh', '2');
      return say(ctx, 503, { title: 'One moment', text: `We are waiting for ${settings.issuer.host} to answer.` });
    }
    const handler = table[`${ctx.method} ${ctx.path}`];
    if (!handler) return say(ctx, 404, { title: 'There is nothing here', text: 'The address may be mistyped.' });
    // A form of another site must not act for the person (the cookie is SameSite=Lax besides). The provider's own
    // call, which no browser makes, has no such header.
    if (ctx.method === 'POST' && !['', 'same-origin'].includes(ctx.get('sec-fetch-site'))) {
      return say(ctx, 403, { title: 'That came from elsewhere', text: 'We only take forms from our own pages.' });
    }
    await handler(ctx);
  }

  function say(ctx: Context, status: number, said: Parameters<typeof message>[1]) {
    ctx.status = status;
    ctx.type = 'html';
    ctx.body = message(settings, said);
  }

  return app;
}
