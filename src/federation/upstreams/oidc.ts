import { importJWK, type JWTPayload } from 'jose';
import * as client from 'openid-client';
import type { Keys } from '../../keys/index.ts';
import type { Clock } from '../../platform/index.ts';
import type { Call } from '../../platform/outbound.ts';
import type { Provider } from '../definition.ts';
import { clockTolerance, createVerifier, verifyIdToken } from './id-token.ts';
import { AnswerRefused, type Arrival, isTrue, stringOf, timeOf, type Upstream } from './upstream.ts';

/** How long what a provider says of itself is believed before it is asked again. */
const discoveryMilliseconds = 60 * 60 * 1000;

/** Any OpenID Connect provider, by its issuer alone. */
export function createOidcUpstream(deps: {
  provider: Provider;
  call: Call;
  clock: Clock;
  keys: Pick<Keys, 'current'>;
  timeout: number;
}): Upstream {
  const { provider, call, clock, keys, timeout } = deps;
  const issuer = provider.issuer!;

  const discover = async () => {
    const config = await client.discovery(
      new URL(issuer),
      provider.client_id,
      { [client.clockTolerance]: clockTolerance },
      authentication(provider, keys),
      {
        [client.customFetch]: call as never,
        timeout,
        // Plain http only where the operator has written it into the issuer: on a developer's machine.
        ...(issuer.startsWith('http:') ? { execute: [client.allowInsecureRequests] } : {}),
      },
    );
    const server = config.serverMetadata();
    if (!server.jwks_uri) throw new AnswerRefused('the provider publishes no keys');
    return { config, server, verify: createVerifier({ jwksUri: server.jwks_uri, call, clock }) };
  };

  let known: { at: number; found: ReturnType<typeof discover> } | undefined;
  const discovered = () => {
    const now = performance.now();
    if (!known || now - known.at > discoveryMilliseconds) {
      const fresh = { at: now, found: discover() };
      known = fresh;
      // What failed is not remembered.
      fresh.found.catch(() => {
        if (known === fresh) known = undefined;
      });
    }
    return known.found;
  };

  return {
    async begin(departure) {
      const { config } = await discovered();
      const { loginHint, prompt, maxAge, uiLocales, acrValues } = departure;
      return client.buildAuthorizationUrl(config, {
        redirect_uri: departure.redirectUri,
        scope: (provider.scopes ?? ['openid', 'profile', 'email']).join(' '),
        state: departure.state,
        nonce: departure.nonce,
        code_challenge: await client.calculatePKCECodeChallenge(departure.verifier),
        code_challenge_method: 'S256',
        ...(loginHint && { login_hint: loginHint }),
        ...(prompt && { prompt }),
        ...(maxAge !== undefined && { max_age: String(maxAge) }),
        ...(uiLocales && { ui_locales: uiLocales }),
        ...(acrValues && { acr_values: acrValues }),
      });
    },

    async finish(answer, departure) {
      const { config, server, verify } = await discovered();
      const url = new URL(departure.redirectUri);
      url.search = answer.toString();
      // Checks state, and iss where the provider says that it sends one (RFC 9207).
      const tokens = await client.authorizationCodeGrant(config, url, {
        pkceCodeVerifier: departure.verifier,
        expectedState: departure.state,
        expectedNonce: departure.nonce,
        idTokenExpected: true,
        ...(departure.maxAge === undefined ? {} : { maxAge: departure.maxAge }),
      });
      // One that sends an iss without having said so is held to it as well.
      const said = answer.get('iss');
      if (said !== null && said !== server.issuer) throw new AnswerRefused('the answer is another issuer’s (iss)');
      const claims = await verifyIdToken(verify, tokens.id_token!, {
        issuer: server.issuer,
        clientId: provider.client_id,
        nonce: departure.nonce,
      });
      const more = server.userinfo_endpoint ? await client.fetchUserInfo(config, tokens.access_token, claims.sub) : {};
      return arrivalOf(server.issuer, { ...more, ...claims }, tokens);
    },

    async endSession({ idToken, redirectUri, state }) {
      const { config, server } = await discovered();
      if (!server.end_session_endpoint) return undefined;
      return client.buildEndSessionUrl(config, {
        id_token_hint: idToken,
        post_logout_redirect_uri: redirectUri,
        state,
      });
    },

    async logoutSource() {
      const { server, verify } = await discovered();
      return {
        issuer: server.issuer,
        clientId: provider.client_id,
        verify: (token) => verify(token, { issuer: server.issuer, audience: provider.client_id }),
      };
    },
  };
}

/** @param claims of an ID token that was verified */
export function arrivalOf(
  issuer: string,
  claims: JWTPayload & Record<string, unknown>,
  tokens: { id_token?: string; access_token?: string; refresh_token?: string; expires_in?: number; scope?: string },
): Arrival {
  const { access_token, refresh_token, expires_in, scope } = tokens;
  return {
    issuer,
    subject: String(claims.sub),
    claims,
    email: stringOf(claims.email),
    emailVerified: isTrue(claims.email_verified),
    sid: stringOf(claims.sid),
    acr: stringOf(claims.acr),
    amr: Array.isArray(claims.amr) ? claims.amr.map(String) : [],
    authTime: timeOf(claims.auth_time),
    idToken: tokens.id_token,
    tokens: {
      ...(access_token && { access_token }),
      ...(refresh_token && { refresh_token }),
      ...(expires_in && { expires_in }),
      ...(scope && { scope }),
    },
  };
}

/** How we prove ourselves to it. With `private_key_jwt` by the key that signs our tokens now: it is published at /jwks. */
function authentication(provider: Provider, keys: Pick<Keys, 'current'>): client.ClientAuth {
  switch (provider.client_auth) {
    case 'client_secret_post':
      return client.ClientSecretPost(provider.client_secret!);
    case 'none':
      return client.None();
    case 'private_key_jwt':
      return async (server, metadata, body, headers) => {
        const { signing } = keys.current();
        const known = server.token_endpoint_auth_signing_alg_values_supported;
        const alg = ['ES256', ...Object.keys(signing)].find(
          (name) => signing[name] && (!known || known.includes(name)),
        );
        if (!alg) throw new Error('none of our signing algorithms is one that the provider takes for private_key_jwt');
        const { kid } = signing[alg]!;
        const key = (await importJWK({ ...signing[alg]! }, alg)) as CryptoKey;
        await client.PrivateKeyJwt({ key, ...(kid && { kid }) })(server, metadata, body, headers);
      };
    default:
      return client.ClientSecretBasic(provider.client_secret!);
  }
}
