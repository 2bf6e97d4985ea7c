import { type Adapter, type Configuration, errors } from 'oidc-provider';
import { ownClientMetadata } from '../clients/index.ts';
import { acrValues } from '../credentials/index.ts';
import type { Settings } from '../platform/config/index.ts';
import { createCookieKeys } from '../platform/http/index.ts';
import type { Vault } from '../platform/index.ts';
import type { Fields, TokenFactsReader } from '../users/index.ts';
import { claimsWith } from './claims.ts';
import { type FeaturePorts, features } from './features.ts';
import { organisationIn } from './organisations.ts';
import { bodyLimits, createFetch } from './outbound.ts';
import type { PairwiseIdentifier } from './pairwise.ts';
import { createPrompts, type SessionSuffices } from './prompts.ts';

export interface ConfigurationPorts extends FeaturePorts {
  adapter: (model: string) => Adapter;
  settings: Settings;
  vault: Vault;
  fields: Pick<Fields, 'current'>;
  tokenFacts: TokenFactsReader;
  /** The languages of the pages. */
  locales: string[];
  pairwise: PairwiseIdentifier;
  findAccount: Configuration['findAccount'];
  loadExistingGrant: Configuration['loadExistingGrant'];
  renderError: Configuration['renderError'];
  suffices: SessionSuffices;
  /** Adds to a JWT access token what introspection needs to find it by. */
  jwtCustomizer: NonNullable<NonNullable<Configuration['formats']>['customizers']>['jwt'];
  /** Whether the origin may read answers in a browser: it is that of one of the client's redirect URIs. */
  corsOrigin: Configuration['clientBasedCORS'];
}

/** Every endpoint of the protocol. */
export const routes = {
  authorization: '/authorize',
  backchannel_authentication: '/backchannel',
  code_verification: '/device',
  device_authorization: '/device/authorize',
  end_session: '/logout',
  introspection: '/introspect',
  jwks: '/jwks',
  pushed_authorization_request: '/par',
  registration: '/register',
  revocation: '/revoke',
  token: '/token',
  userinfo: '/userinfo',
} as const;

/** Every path the engine answers, a part that varies written as `:uid`. */
export const protocolPaths: readonly string[] = [
  ...Object.values(routes),
  `${routes.authorization}/:uid`,
  `${routes.code_verification}/:uid`,
  `${routes.end_session}/confirm`,
  `${routes.end_session}/success`,
  '/.well-known/openid-configuration',
  '/.well-known/oauth-authorization-server',
];

/**
 * What applications and services ask for, with no browser of a person's in between: method and path. What is answered
 * there is never a page. Anything else about these paths (another method, a preflight) is not of the kind.
 */
export const serviceRequests: ReadonlySet<string> = new Set([
  ...[routes.token, routes.introspection, routes.revocation, routes.userinfo].map((path) => `POST ${path}`),
  ...[routes.pushed_authorization_request, routes.device_authorization].map((path) => `POST ${path}`),
  `GET ${routes.userinfo}`,
  `GET ${routes.jwks}`,
  'GET /.well-known/openid-configuration',
  'GET /.well-known/oauth-authorization-server',
]);

/** What browsers are sent with by applications: nothing of our own pages has a part in it. */
export const authorizationRequests: ReadonlySet<string> = new Set([`GET ${routes.authorization}`]);

const encryptionTo = (algorithms: ('ECDH-ES' | 'RSA-OAEP' | 'RSA-OAEP-256')[]) => ({
  idTokenEncryptionAlgValues: algorithms,
  userinfoEncryptionAlgValues: algorithms,
  introspectionEncryptionAlgValues: algorithms,
  authorizationEncryptionAlgValues: algorithms,
  requestObjectEncryptionAlgValues: algorithms,
});

/** How a request names the organisation, by id or by name; which one it is `organisations.ts` settles. */
const extraParams: NonNullable<Configuration['extraParams']> = {
  organization(_ctx, value) {
    if (value !== undefined && !/^[a-zA-Z0-9-]{1,63}$/.test(value))
      throw new errors.InvalidRequest('organization is the id or the name of one');
  },
  // By which provider the person is to come; one that is unknown is passed over, as a hint is.
  idp_hint: null,
  kc_idp_hint: null,
};

/**
 * How and when the person was proved, told to APIs as well: by it they decide whether to ask for more (RFC 9068,
 * section 2.2.1; RFC 9470, section 6).
 */
const howProved = (source: Source) => {
  const { authTime, acr, amr } = source;
  return { ...(authTime && { auth_time: authTime }), ...(acr && { acr }), ...(amr && { amr }) };
};

type Source = { authTime?: number; acr?: string; amr?: string[] };

/**
 * What an access token carries beside the engine's claims: how the person was proved, the organisation it is for, and in
 * a JWT what its scopes ask of groups, roles and permissions. Of an opaque token these are asked when it is introspected.
 */
const tokenClaims =
  (facts: TokenFactsReader): NonNullable<Configuration['extraTokenClaims']> =>
  async ({ oidc: { entities } }, token) => {
    const source = entities.RefreshToken ?? entities.AuthorizationCode ?? entities.DeviceCode;
    if (!source) return undefined;
    const org_id = organisationIn(source as never);
    const { resourceServer, scope, accountId } = token as unknown as {
      resourceServer?: { accessTokenFormat?: string };
      scope?: string;
      accountId?: string;
    };
    const isJwt = resourceServer?.accessTokenFormat === 'jwt';
    return {
      ...howProved(source as Source),
      ...(org_id === undefined ? {} : { org_id }),
      ...(isJwt && accountId ? await facts(accountId, { scope, org_id }) : {}),
    };
  };

const isConfidential = (client: { clientAuthMethod?: string }) => client.clientAuthMethod !== 'none';

/** The engine's configuration, one subject after the other; what it leaves out is the engine's default. */
export function configuration(ports: ConfigurationPorts, jwks: { keys: object[] }): Configuration {
  const { settings, vault } = ports;
  const { tokens, sessions } = settings;
  const algorithms = [...settings.keys.algorithms];
  const https = settings.issuer.startsWith('https:');
  const cookie = { httpOnly: true, sameSite: 'lax', secure: https, signed: true, overwrite: true } as const;

  return {
    adapter: ports.adapter as Configuration['adapter'],
    jwks: jwks as Configuration['jwks'],
    findAccount: ports.findAccount,
    loadExistingGrant: ports.loadExistingGrant,
    renderError: ports.renderError,
    routes,
    features: features(ports),

    // What may be asked for. Implicit and hybrid flows are absent: RFC 9700, section 2.1.2.
    responseTypes: ['code', 'none'],
    scopes: ['openid', 'offline_access'],
    claims: claimsWith(ports.fields.current()),
    acrValues,
    subjectTypes: ['public', 'pairwise'],
    pairwiseIdentifier: ports.pairwise as Configuration['pairwiseIdentifier'],
    // A scope asks for its claims at userinfo; the ID token carries them only when asked (Core 1.0, section 5.4).
    conformIdTokenClaims: true,
    extraParams,
    extraClientMetadata: { properties: [...ownClientMetadata] },

    // How clients prove themselves. Secrets are kept by hash, so the methods that need them in the clear are absent.
    clientAuthMethods: [
      'none',
      'client_secret_basic',
      'client_secret_post',
      'private_key_jwt',
      'tls_client_auth',
      'self_signed_tls_client_auth',
    ],
    clientDefaults: {
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      id_token_signed_response_alg: algorithms[0]!,
      token_endpoint_auth_method: 'client_secret_basic',
    },
    enabledJWA: {
      idTokenSigningAlgValues: algorithms,
      userinfoSigningAlgValues: algorithms,
      introspectionSigningAlgValues: algorithms,
      authorizationSigningAlgValues: algorithms,
      clientAuthSigningAlgValues: ['ES256', 'ES384', 'Ed25519', 'EdDSA', 'PS256', 'RS256'],
      requestObjectSigningAlgValues: ['ES256', 'ES384', 'Ed25519', 'EdDSA', 'PS256', 'RS256'],
      // To keys that clients publish; the other algorithms take the secret for the key, and we do not have it.
      ...encryptionTo(['ECDH-ES', 'RSA-OAEP', 'RSA-OAEP-256']),
      dPoPSigningAlgValues: ['ES256', 'Ed25519', 'EdDSA'],
    },
    formats: { customizers: { jwt: ports.jwtCustomizer } },
    extraTokenClaims: tokenClaims(ports.tokenFacts),
    clientBasedCORS: ports.corsOrigin,
    pkce: {
      required: (_ctx, client) =>
        !isConfidential(client as never) || Boolean((client as { requirePkce?: boolean }).requirePkce),
    },

    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    // A key already protects a sender-constrained token of a confidential client (FAPI 2.0, section 5.3.2.1).
    rotateRefreshToken: (ctx) => {
      const { RefreshToken: token, Client: client } = ctx.oidc.entities;
      return !(isConfidential(client as never) && token!.isSenderConstrained()) || token!.ttlPercentagePassed() >= 70;
    },
    ttl: {
      AccessToken: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? tokens.accessToken,
      ClientCredentials: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? tokens.clientCredentials,
      AuthorizationCode: tokens.authorizationCode,
      DeviceCode: tokens.deviceCode,
      IdToken: tokens.idToken,
      Interaction: sessions.interaction,
      // Never outlives its grant, which was made when the chain began.
      RefreshToken: (_ctx, token) =>
        Math.max(1, Math.min(tokens.refreshTokenIdle, tokens.refreshTokenAbsolute - token.totalLifetime())),
      Grant: tokens.refreshTokenAbsolute,
      PushedAuthorizationRequest: tokens.pushedAuthorizationRequest,
      Session: (_ctx, session) => sessionSeconds(settings, session),
    },

    interactions: {
      policy: createPrompts(ports.suffices),
      url: (_ctx, interaction) => `/signin/${interaction.uid}`,
    },
    fetch: createFetch(settings.outbound),
    fetchResponseBodyLimits: bodyLimits,
    cookies: {
      names: https
        ? { session: '__Host-session', interaction: '__Secure-signin', resume: '__Secure-resume' }
        : { session: 'session', interaction: 'signin', resume: 'resume' },
      keys: createCookieKeys(vault.macs('cookies', 'cookies')),
      long: cookie,
      short: cookie,
    },
    discovery: {
      service_documentation: undefined,
      ui_locales_supported: ports.locales,
      prompt_values_supported: ['none', 'login', 'consent', 'select_account', 'create'],
    },
  } satisfies Configuration & { [name: string]: unknown };
}

/** Ends by idleness, and in any case after a time that counts from the sign-in. */
function sessionSeconds(
  { sessions }: Settings,
  session: { transient?: boolean; loginTs?: number; authTime(): number | undefined },
): number {
  const idle = session.transient ? sessions.idle : sessions.rememberedIdle;
  const absolute = session.transient ? sessions.absolute : sessions.rememberedAbsolute;
  const age = Math.floor(Date.now() / 1000) - (session.authTime() ?? Math.floor(Date.now() / 1000));
  return Math.max(1, Math.min(idle, absolute - age));
}
