import type { Provider } from 'oidc-provider';
import type { ClientMetadata } from '../clients/index.ts';
import { freshSeconds } from '../credentials/index.ts';
import type { Settings } from '../platform/config/index.ts';
import { type AppContext, goTo } from '../platform/http/index.ts';
import type { Clock } from '../platform/index.ts';
import type { User, Users } from '../users/index.ts';

/** Who is at the account pages, and by which session. */
export interface SignedIn {
  user: User;
  session: { uid: string; authTime: Date; acr: string | undefined };
}

export interface SignedInGuard {
  /**
   * Who is signed in here. Without a session, or with `fresh` and one that is older than {@link freshSeconds}, the
   * browser is sent to sign in and comes back to the page.
   * @param options.back path below /account to come back to; that of the request otherwise
   * @returns undefined when the browser was sent away: there is nothing more to do
   */
  demand(ctx: AppContext, options?: { fresh?: boolean; back?: string }): Promise<SignedIn | undefined>;
  /**
   * Sends the browser to sign in, or to register, and back to a page of ours.
   * @param options.hint the address to begin with
   */
  send(ctx: AppContext, options: { back: string; hint?: string; register?: boolean; maxAge?: number }): void;
  /** Whether the sign-in is recent enough for a change that matters. */
  isFresh(known: SignedIn): boolean;
  /** Who is signed in here, if anybody. */
  look(ctx: AppContext): Promise<SignedIn | undefined>;
  /** Where the browser comes back to after the sign-in: GET {@link callback}. */
  back(ctx: AppContext): Promise<void>;
}

export const accountClientId = 'cardea-account';
export const callback = '/account/signed-in';

/** Only our own pages: the state comes back from the browser, and no link of ours may lead elsewhere. */
const isOwnPath = (path: string): boolean => /^\/account(\/[a-z-]+)*$/.test(path);

/**
 * The account pages sign people in as any application does, by /authorize, so that every rule of the sign-in holds for
 * them too. All they need of it is the session, so they ask for `response_type=none` and are handed no token.
 */
export function createSignedInGuard(deps: {
  provider(): Provider;
  users: Pick<Users, 'byId'>;
  clock: Clock;
  issuer: string;
}): SignedInGuard {
  const { provider, users, clock, issuer } = deps;

  const look: SignedInGuard['look'] = async (ctx) => {
    const session = await provider().Session.get(ctx as never);
    const user = session.accountId ? await users.byId(session.accountId) : undefined;
    if (!user?.mayHold()) return undefined;
    const { uid, acr } = session as unknown as { uid: string; acr?: string };
    return { user, session: { uid, acr, authTime: new Date((session.authTime() ?? 0) * 1000) } };
  };

  const isFresh: SignedInGuard['isFresh'] = ({ session }) =>
    (clock.now().getTime() - session.authTime.getTime()) / 1000 <= freshSeconds;

  const send: SignedInGuard['send'] = (ctx, { back, hint, register, maxAge }) => {
    const query = new URLSearchParams({
      client_id: accountClientId,
      response_type: 'none',
      redirect_uri: `${issuer}${callback}`,
      scope: 'openid',
      state: isOwnPath(back) ? back : '/account',
      ...(hint ? { login_hint: hint } : {}),
      ...(register ? { prompt: 'create' } : {}),
      ...(maxAge === undefined ? {} : { max_age: String(maxAge) }),
    });
    goTo(ctx, `/authorize?${query}`);
  };

  return {
    look,
    send,
    isFresh,
    async demand(ctx, { fresh = false, back = ctx.path } = {}) {
      const known = await look(ctx);
      if (known && (!fresh || isFresh(known))) return known;
      // Stricter than we are, so that whoever is sent there because of us is asked there.
      send(ctx, { back, ...(fresh ? { maxAge: freshSeconds - 30 } : {}) });
      return undefined;
    },
    async back(ctx) {
      const state = [ctx.query.state].flat()[0] ?? '';
      // Whoever turned back has not signed in: the front page, not the same question again.
      const to = ctx.query.error === undefined ? '/account' : '/';
      goTo(ctx, ctx.query.error === undefined && isOwnPath(state) ? state : to);
    },
  };
}

/** The account pages as an application of the house: made of the settings at each start, kept in no table. */
export const accountClient = ({ issuer, branding }: Pick<Settings, 'issuer' | 'branding'>): ClientMetadata => ({
  client_id: accountClientId,
  client_name: branding.name,
  client_uri: `${issuer}/account`,
  redirect_uris: [`${issuer}${callback}`],
  response_types: ['none'],
  grant_types: [],
  token_endpoint_auth_method: 'none',
  application_type: 'web',
  first_party: true,
});
