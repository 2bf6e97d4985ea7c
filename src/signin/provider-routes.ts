import Router from '@koa/router';
import type { Middleware } from 'koa';
import type { Federation } from '../federation/index.ts';
import { type AppContext, type Form, formBody, goTo, readForm } from '../platform/http/index.ts';
import { Refusal, randomToken } from '../platform/index.ts';
import { donePage } from './pages/end.ts';
import type { SigninPorts } from './ports.ts';

/** What an answer may carry; nothing else of it is kept. */
const answerFields = ['code', 'state', 'iss', 'error', 'user'] as const;
/** Longer than any code that a provider makes. */
const most = 8_000;

const leftBehind = 'federation-signed-out';

/**
 * Where providers reach us:
 *
 * | | | |
 * | --- | --- | --- |
 * | GET, POST | /federation/:provider/callback | the browser, with the answer |
 * | POST | /federation/:provider/backchannel-logout | the provider: somebody has signed out there |
 * | GET  | /federation/:provider/signed-out | the browser, signed out there as well |
 */
export function createProviderRoutes(ports: Pick<SigninPorts, 'federation' | 'present' | 'sessions'>) {
  const { federation, present, sessions } = ports;
  const router = new Router({ prefix: '/federation/:provider' });
  type Ctx = AppContext & { params: { provider: string } };

  /** Believes nothing of it and changes nothing: the browser is sent on to where its own cookie tells who it is. */
  const callback = async (ctx: Ctx, given: Form) => {
    const parameters = new URLSearchParams();
    for (const field of answerFields) {
      const value = given[field];
      if (typeof value === 'string' && value.length <= most) parameters.set(field, value);
    }
    const purpose = await federation.answer(ctx.params.provider, parameters);
    if (!purpose) return present.page(ctx, donePage({}), { status: 400 });
    const state = encodeURIComponent(parameters.get('state')!);
    goTo(
      ctx,
      purpose.kind === 'signin'
        ? `/signin/${purpose.uid}/return?state=${state}`
        : `/account/linked/return?state=${state}`,
    );
  };

  router.get('/callback', (ctx) => callback(ctx as unknown as Ctx, firstOf(ctx.query)));
  // Posted from the provider's site (form_post): no cookie of ours comes with it, and none is needed here.
  router.post('/callback', formBody as never, (ctx) =>
    callback(ctx as unknown as Ctx, readForm(ctx as unknown as Ctx)),
  );

  router.post('/backchannel-logout', formBody as never, async (koa) => {
    const ctx = koa as unknown as Ctx;
    ctx.set('cache-control', 'no-store');
    try {
      await federation.logout(ctx.params.provider, readForm(ctx).logout_token ?? '');
      ctx.status = 200;
      ctx.body = '';
    } catch (error) {
      if (!(error instanceof Refusal) || error.kind === 'unavailable') throw error;
      // Section 2.8.
      ctx.status = error.kind === 'missing' ? 404 : 400;
      ctx.body = { error: 'invalid_request', error_description: 'the logout token was refused' };
    }
  });

  router.get('/signed-out', async (koa) => {
    const ctx = koa as unknown as Ctx;
    const state = [ctx.query.state].flat()[0] ?? '';
    const back = state ? await sessions.fleeting.take<string>(leftBehind, state) : undefined;
    goTo(ctx, back ?? '/');
  });

  return router;
}

const firstOf = (query: Record<string, string | string[] | undefined>): Form =>
  Object.fromEntries(Object.entries(query).map(([name, value]) => [name, [value].flat()[0]]));

/**
 * Stands before the engine: a person who signs out here, of a session that came from a provider whose policy says so, is
 * led past the provider's own sign-out on the way to where they would have been sent.
 */
export function signOutThere(
  ports: Pick<SigninPorts, 'provider' | 'sessions'> & { federation: Federation },
): Middleware {
  const { provider, federation, sessions } = ports;
  return async (ctx, next) => {
    if (ctx.path !== '/logout/confirm' || ctx.method !== 'POST') return next();
    const session = await provider().Session.get(ctx as never);
    const leave = session.accountId ? await federation.signOut(session.uid) : undefined;
    await next();
    if (!leave || ![302, 303].includes(ctx.status) || (await sessions.find(session.uid))) return;
    const state = randomToken();
    await sessions.fleeting.put(leftBehind, state, ctx.response.get('location'), 600);
    // A provider that does not answer keeps nobody signed in here.
    const there = await leave(state).catch(() => undefined);
    if (there) ctx.redirect(there.href);
  };
}
