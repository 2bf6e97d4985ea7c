import { text } from 'node:stream/consumers';
import type { Context } from 'koa';
import * as oidc from 'openid-client';
import { createApi } from './api.ts';
import { createLogoutTokens } from './logout-token.ts';
import { message, overview, welcome } from './pages.ts';
import { ASKABLE, type Provider, type Wishes } from './provider.ts';
import { createSessions, type Notice, type Session, type SignedIn } from './sessions.ts';
import type { Settings } from './settings.ts';

const COOKIE = 'example_session';

export type Routes = Record<string, (ctx: Context) => unknown>;

/** What the application answers, once it knows its provider. */
export function createRoutes(settings: Settings, provider: Provider): Routes {
  const sessions = createSessions();
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

  /** max_age=0: whatever session there is, prove it again. */
  function stepUp(ctx: Context) {
    const acr = wishesOf(ctx).acr_values ?? settings.stepUpAcr;
    return begin(ctx, { max_age: '0', ...(acr && { acr_values: acr }) });
  }

  async function begin(ctx: Context, wishes: Wishes) {
    const { url, pending } = await provider.begin(wishes);
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
    remember(ctx, sessions.signIn(session, await provider.finish(ctx.querystring, pending)));
    ctx.redirect('/');
  }

  async function refresh(ctx: Context) {
    await act(ctx, async (held) => {
      await provider.refresh(held);
      return { tone: 'good', text: 'The provider gave us fresh tokens.' };
    });
  }

  async function callApi(ctx: Context) {
    await act(ctx, async (held) => {
      const answer = await provider.callApi(held, new URL('/api', settings.baseUrl));
      return { tone: 'good', text: 'The API answered.', detail: JSON.stringify(answer, null, 2) };
    });
  }

  /** Does something with the tokens and says on the start page how it went. */
  async function act(ctx: Context, work: (held: SignedIn) => Promise<Notice>) {
    const session = current(ctx);
    if (session?.signedIn?.refreshToken) {
      session.notice = await work(session.signedIn).catch((error) => {
        // The provider no longer stands behind this sign-in: neither do we.
        if (error instanceof oidc.ResponseBodyError && error.error === 'invalid_grant') session.signedIn = undefined;
        return noticeOf(error);
      });
    }
    ctx.redirect('/');
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

  const current = (ctx: Context) => sessions.find(ctx.cookies.get(COOKIE));

  function remember(ctx: Context, session: Session) {
    const secure = settings.baseUrl.protocol === 'https:';
    ctx.cookies.set(COOKIE, session.id, { httpOnly: true, sameSite: 'lax', secure });
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
          href: acr ? `/step-up?${new URLSearchParams({ acr_values: acr })}` : '/step-up',
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
