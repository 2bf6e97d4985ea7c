import * as oidc from 'openid-client';
import type { Cardea } from './cardea.ts';
import { authorize, CALLBACK, type createPerson } from './seeds.ts';

type Metadata = { client_id: string; client_secret?: string };

/** The client as `openid-client` configures itself by discovery. */
export async function discover(
  { issuer }: Pick<Cardea, 'issuer'>,
  { client_id, client_secret }: Metadata,
  authentication = client_secret ? oidc.ClientSecretBasic(client_secret) : oidc.None(),
): Promise<oidc.Configuration> {
  return oidc.discovery(new URL(issuer), client_id, undefined, authentication, {
    execute: [oidc.allowInsecureRequests],
  });
}

export interface SignInOptions {
  parameters?: Record<string, string>;
  person?: ReturnType<typeof createPerson>;
  email?: string;
  password?: string;
  DPoP?: oidc.DPoPHandle;
  /** Makes the address to send the browser to; default: the plain authorization request. */
  request?: (config: oidc.Configuration, parameters: Record<string, string>) => Promise<URL> | URL;
  /** Sent with the code. */
  tokenParameters?: Record<string, string>;
}

/** The whole of a sign-in with code and PKCE, for a person who walks through the pages. */
export async function signInWith(config: oidc.Configuration, options: SignInOptions = {}) {
  const { parameters = {}, request = oidc.buildAuthorizationUrl, DPoP, tokenParameters } = options;
  const codeVerifier = oidc.randomPKCECodeVerifier();
  const state = oidc.randomState();
  const nonce = oidc.randomNonce();
  const url = await request(config, {
    redirect_uri: CALLBACK,
    scope: 'openid',
    state,
    nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(codeVerifier),
    code_challenge_method: 'S256',
    ...parameters,
  });
  const callback = await authorize(url, options);
  const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: codeVerifier };
  const tokens = await oidc.authorizationCodeGrant(config, callback, checks, tokenParameters, { DPoP });
  return { tokens, callback, codeVerifier, claims: tokens.claims()! };
}
