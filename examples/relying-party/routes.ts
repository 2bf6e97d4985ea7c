import { text } from 'node:stream/consumers';
import type { Context } from 'koa';
import * as oidc from 'openid-client';
import { createApi } from './api.ts';
import { createLogoutTokens } from './logout-token.ts';
import { message, overview, welcome } from './pages.ts';
import { ASKABLE, type Provider, type Wishes } from './provider.ts';
import { createSessions, type Notice, type Session, type SignedIn } from './sessions.ts';
import type { Settings } from './settings.ts';

export type Routes = Record<string, (ctx: Context) => unknown>;

/** What the application answers, once it knows its provider. */
export function createRoutes(settings: Settings, provider: Provider): Routes {
  const sessions = createSessions();
  // Browsers do not keep cookies apart by port: two applications on one host need two names.
  const cookie = `example_${settings.port}`;
  const readLogoutToken = createLogoutTokens(provider.metadata, settings.clientId);

  async function home(ctx: Context) {
    const session = current(ctx);
    const notice = session?.notice;
    if (session) session.notice = undefined; // said once
    ctx.type = 'html';
    if (!session?.signedIn) {
      ctx.body = welcome(settings, notice);
      return;
    }
    const held = session.signedIn;
    const userinfo = await provider.userinfo(held).catch(sayWhyNot);
    ctx.body = overview(settings, held, userinfo, notice);
  }

  const signIn = (ctx: Context) => begin(ctx, wishesOf(ctx));

  /** max_age=0: whatever session there is, prove it again. `api`: because the API wants it so. */
  function stepUp(ctx: Context) {
    const acr = wishesOf(ctx).acr_values ?? settings.stepUpAcr;
    const resource = ctx.query.api === undefined ? undefined : settings.resource;
    return begin(ctx, { max_age: '0', ...(acr && { acr_values: acr }) }, resource);
  }

  async function begin(ctx: Context, wishes: Wishes, resource?: string) {
    const { url, pending } = await provider.begin(wishes, resource);
    const session = current(ctx) ?? sessions.open();
    sessions.expect(session, pending);
    remember(ctx, session);
    ctx.redirect(url.href);
  }

  async function callback(ctx: Context) {
    const session = current(ctx);
    const pending = session?.pending.get(String(ctx.query.state));
    if (!session || !pending) {
      // Back button, reload, or a link that began in another browser: there is no question to this answer (any more).
      if (session?.signedIn) return ctx.redirect('/');
      ctx.status = 400;
      ctx.type = 'html';
      ctx.body = message(settings, {
        title: 'This sign-in is over',
        text: 'It was finished before, took too long, or began in another browser.',
        again: true,
      });
      return;
    }
    session.pending.delete(pending.state); // one answer to one question
    const fresh = await provider.finish(ctx.querystring, pending);
    const held = session.signedIn;
    if (pending.resource && held?.claims.sub === fresh.claims.sub) {
      // The same person, and a token for the API beside the one we have.
      const { claims, idToken, accessToken, dpop } = fresh;
      Object.assign(held, { claims, idToken, api: { accessToken, dpop } });
      session.notice = await askApi(held);
    } else if (!pending.resource) {
      remember(ctx, sessions.signIn(session, fresh));
    }
    ctx.redirect('/');
  }

  async function refresh(ctx: Context) {
    const session = current(ctx);
    const held = session?.signedIn;
    if (held?.refreshToken) {
      session!.notice = await provider.refresh(held).then(
        () => ({ tone: 'good', text: 'The provider gave us fresh tokens.' }) as const,
        (error) => {
          // The provider no longer stands behind this sign-in: neither do we.
          if (error instanceof oidc.ResponseBodyError && error.error === 'invalid_grant') session!.signedIn = undefined;
          return noticeOf(error);
        },
      );
    }
    ctx.redirect('/');
  }

  /** The API takes only tokens made for it. The first call asks the provider for one, which needs no question of the person. */
  async function callApi(ctx: Context) {
    const session = current(ctx);
    const held = session?.signedIn;
    if (held && !held.api) return begin(ctx, {}, settings.resource);
    if (held) session.notice = await askApi(held);
    ctx.redirect('/');
  }

  async function askApi(held: SignedIn): Promise<Notice> {
    try {
      const answer = await provider.callApi(held.api!, new URL('/api', settings.baseUrl));
      return { tone: 'good', text: 'The API answered.', detail: JSON.stringify(answer, null, 2) };
    } catch (error) {
      held.api = undefined;
      return noticeOf(error);
    }
  }

  function signOut(ctx: Context) {
    const session = current(ctx);
    if (session) sessions.close(session);
    ctx.redirect(provider.signOutUrl(session?.signedIn).href);
  }

  const signedOut = (ctx: Context) => {
    ctx.type = 'html';
    ctx.body = message(settings, { title: 'You are signed out', text: 'See you soon.', again: true });
  };

  /** Ends the session here and leaves the one at the provider: the next sign-in needs no password. */
  function forget(ctx: Context) {
    const session = current(ctx);
    if (session) sessions.close(session);
    ctx.redirect('/');
  }

  /** The provider tells us, server to server, that a session has ended (OpenID Connect Back-Channel Logout 1.0). */
  async function backchannelLogout(ctx: Context) {
    try {
      if (Number(ctx.get('content-length') || 0) > 20_000) throw new Error('That is too long.');
      const form = new URLSearchParams(await text(ctx.req));
      sessions.closeWhere(await readLogoutToken(form.get('logout_token') ?? ''));
      ctx.status = 200;
      ctx.body = '';
    } catch (error) {
      ctx.status = 400;
      ctx.body = { error: 'invalid_request', error_description: error instanceof Error ? error.message : 'refused' };
    }
  }

  const current = (ctx: Context) => sessions.find(ctx.cookies.get(cookie));

  function remember(ctx: Context, session: Session) {
    const secure = settings.baseUrl.protocol === 'https:';
    ctx.cookies.set(cookie, session.id, { httpOnly: true, sameSite: 'lax', secure });
  }

  return {
    'GET /': home,
    'GET /sign-in': signIn,
    'GET /step-up': stepUp,
    'GET /callback': callback,
    'POST /refresh': refresh,
    'POST /call-api': callApi,
    'POST /sign-out': signOut,
    'GET /signed-out': signedOut,
    'POST /forget': forget,
    'POST /backchannel-logout': backchannelLogout,
    ...(settings.resource && { 'GET /api': createApi(provider.metadata, settings) }),
  };
}

/** Only what we know, and only when given: nobody slips other parameters into our request. */
function wishesOf(ctx: Context): Wishes {
  const query = new URLSearchParams(ctx.querystring);
  return Object.fromEntries(ASKABLE.map((name) => [name, query.get(name)]).filter(([, value]) => value));
}

function sayWhyNot(error: unknown): string {
  if (error instanceof oidc.WWWAuthenticateChallengeError) return 'The provider no longer accepts this access token.';
  return 'The provider does not answer at the moment.';
}

/** An API that wants more says what (RFC 9470): we offer the way there. */
function noticeOf(error: unknown): Notice {
  if (error instanceof oidc.WWWAuthenticateChallengeError) {
    const challenge = error.cause.find(({ parameters }) => parameters.error === 'insufficient_user_authentication');
    const acr = (challenge?.parameters as { acr_values?: string } | undefined)?.acr_values;
    if (challenge) {
      return {
        tone: 'bad',
        text: 'The API wants to be surer that it is you.',
        action: {
          label: 'Confirm that it is you',
          href: `/step-up?${new URLSearchParams({ api: '', ...(acr && { acr_values: acr }) })}`,
        },
      };
    }
    return { tone: 'bad', text: 'The API refused our access token.' };
  }
  if (error instanceof oidc.ResponseBodyError) {
    return { tone: 'bad', text: 'The provider gave no new tokens. Please sign in again.', detail: error.error };
  }
  return { tone: 'bad', text: 'That did not work. Please try again in a little while.' };
}
