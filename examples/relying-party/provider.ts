import { setTimeout as sleep } from 'node:timers/promises';
import * as oidc from 'openid-client';
import type { Pending, SignedIn } from './sessions.ts';
import type { Settings } from './settings.ts';

/** What may be asked of the provider on top of a plain sign-in, from the query of /sign-in. */
export const ASKABLE = ['prompt', 'max_age', 'acr_values', 'login_hint', 'ui_locales'] as const;
export type Wishes = Partial<Record<(typeof ASKABLE)[number], string>>;

/**
 * All this application says to its OpenID provider. The library (`openid-client`) makes and checks the messages: PKCE,
 * state, nonce, the `iss` of the answer (RFC 9207), and signature, audience and times of the ID token.
 */
export async function connectProvider(settings: Settings) {
  const config = await discover(settings);
  const redirectUri = new URL('/callback', settings.baseUrl).href;

  /** Where to send the browser, and what to remember until it comes back. */
  async function begin(wishes: Wishes, resource?: string): Promise<{ url: URL; pending: Pending }> {
    const pending: Pending = {
      state: oidc.randomState(),
      nonce: oidc.randomNonce(),
      codeVerifier: oidc.randomPKCECodeVerifier(),
      maxAge: wishes.max_age === undefined ? undefined : Number(wishes.max_age),
      resource,
      dpop: settings.dpop ? oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256')) : undefined,
    };
    const parameters = {
      redirect_uri: redirectUri,
      scope: resource ? `openid ${settings.apiScope}` : settings.scope,
      state: pending.state,
      nonce: pending.nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(pending.codeVerifier),
      code_challenge_method: 'S256',
      ...(resource && { resource }),
      ...wishes,
    };
    const url = settings.par
      ? await oidc.buildAuthorizationUrlWithPAR(config, parameters, { DPoP: pending.dpop })
      : oidc.buildAuthorizationUrl(config, parameters);
    return { url, pending };
  }

  /** The browser is back: check the answer and exchange its code for tokens. */
  async function finish(query: string, pending: Pending): Promise<SignedIn> {
    const answer = new URL(`${redirectUri}?${query}`);
    const checks = {
      expectedState: pending.state,
      expectedNonce: pending.nonce,
      pkceCodeVerifier: pending.codeVerifier,
      maxAge: pending.maxAge,
      idTokenExpected: true,
    };
    const target = pending.resource ? { resource: pending.resource } : undefined;
    const tokens = await oidc.authorizationCodeGrant(config, answer, checks, target, { DPoP: pending.dpop });
    return {
      claims: tokens.claims()!,
      idToken: tokens.id_token!,
      refreshes: 0,
      dpop: pending.dpop,
      ...tokenFacts(tokens),
    };
  }

  /** Fresh tokens for old. The refresh token changes too: the new one must be kept, the old one is spent. */
  async function refresh(held: SignedIn): Promise<void> {
    const tokens = await oidc.refreshTokenGrant(config, held.refreshToken!, undefined, { DPoP: held.dpop });
    Object.assign(held, tokenFacts(tokens), { refreshes: held.refreshes + 1 });
    // A new ID token may leave out claims of the first (such as the nonce); the person is the same, the library checked it.
    if (tokens.id_token)
      Object.assign(held, { idToken: tokens.id_token, claims: { ...held.claims, ...tokens.claims() } });
  }

  /** What the provider says about the person at this moment. */
  const userinfo = (held: SignedIn) =>
    oidc.fetchUserInfo(config, held.accessToken, held.claims.sub, { DPoP: held.dpop });

  /** Calls an API with the token that was made for it. A challenge of the API is thrown. */
  async function callApi({ accessToken, dpop }: NonNullable<SignedIn['api']>, url: URL): Promise<unknown> {
    const response = await oidc.fetchProtectedResource(config, accessToken, url, 'GET', null, undefined, {
      DPoP: dpop,
    });
    if (!response.ok) throw new Error(`The API answered ${response.status}.`);
    return response.json();
  }

  /** Where to send the browser so that the session at the provider ends as well (RP-initiated logout). */
  const signOutUrl = (held: SignedIn | undefined) =>
    oidc.buildEndSessionUrl(config, {
      post_logout_redirect_uri: new URL('/signed-out', settings.baseUrl).href,
      ...(held && { id_token_hint: held.idToken }),
    });

  return { metadata: config.serverMetadata(), begin, finish, refresh, userinfo, callApi, signOutUrl };
}

export type Provider = Awaited<ReturnType<typeof connectProvider>>;

/** The provider may start a moment after us: ask until it answers. */
async function discover({ issuer, clientId, clientSecret }: Settings): Promise<oidc.Configuration> {
  const authentication = clientSecret ? oidc.ClientSecretBasic(clientSecret) : oidc.None();
  // Plain http is for a provider on this very machine only.
  const execute = issuer.protocol === 'http:' ? [oidc.allowInsecureRequests] : [];
  for (let pause = 100; ; pause = Math.min(pause * 2, 2_000)) {
    try {
      return await oidc.discovery(issuer, clientId, undefined, authentication, { execute });
    } catch {
      await sleep(pause);
    }
  }
}

function tokenFacts(tokens: oidc.TokenEndpointResponse & oidc.TokenEndpointResponseHelpers) {
  const seconds = tokens.expiresIn();
  return {
    accessToken: tokens.access_token,
    tokenType: tokens.token_type,
    scope: tokens.scope ?? '',
    expiresAt: seconds === undefined ? undefined : new Date(Date.now() + seconds * 1000),
    ...(tokens.refresh_token && { refreshToken: tokens.refresh_token }),
  };
}
