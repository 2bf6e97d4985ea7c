import type { Middleware } from 'koa';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { goTo } from '../platform/http/index.ts';
import { providerHint } from './asked.ts';

/**
 * Spares a stranger a redirect: where nobody is signed in and the application names no provider, the first question is who
 * they are, and the browser is sent to its page at once. All others are sent to `/signin/:uid`, where the flow decides.
 */
export const straightIn: Middleware = async (ctx, next) => {
  await next();
  const { entities, session } = (ctx as Partial<KoaContextWithOIDC>).oidc ?? {};
  const { uid, prompt, params } = entities?.Interaction ?? {};
  if (!uid || session?.accountId || prompt?.name !== 'login' || providerHint(params ?? {})) return;
  const entrance = `/signin/${uid}`;
  if (ctx.status === 303 && ctx.response.get('location') === entrance) goTo(ctx, `${entrance}/identifier`);
};
