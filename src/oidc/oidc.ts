import { readFileSync } from 'node:fs';
import type Koa from 'koa';
import type { Context, Middleware } from 'koa';
import compose from 'koa-compose';
import { type KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { ClientMetadata, Clients, ResourceServer, ResourceServers } from '../clients/index.ts';
import type { KnownProofs } from '../front/index.ts';
import type { Keys } from '../keys/index.ts';
import type { Settings } from '../platform/config/index.ts';
import {
  type Budget,
  type Clock,
  type Limits,
  type Log,
  type Rate,
  Refusal,
  sha256,
  type Vault,
} from '../platform/index.ts';
import type { Sessions } from '../sessions/index.ts';
import type {
  Consents,
  FactClaimSettings,
  FactsReader,
  Fields,
  Portrait,
  Standing,
  TokenFactsReader,
} from '../users/index.ts';
import { createAdapterFactory, withoutApiScopes } from './adapter.ts';
import { deliverLogout, type EndedAuthorization, leaveLogoutToOutbox } from './back-channel-logout.ts';
import { createFindAccount } from './claims.ts';
import { limitClientRequests } from './client-requests.ts';
import { createSecretCheck, type SecretBudgets } from './client-secret.ts';
import { type ConfigurationPorts, configuration } from './configuration.ts';
import { askForCodeAgain, limitUserCodes, slowDownPolling } from './device-flow.ts';
import { answerTokenEndpoints, letRequestsGo, openIdScopesOf, type TokenEndpoints } from './engine-internals.ts';
import { allForEngine, forEngine } from './faults.ts';
import { ownFormPages } from './form-pages.ts';
import { type CameBy, createLoadExistingGrant } from './grants.ts';
import { logEngine, measureEngine, type ProtocolMeasure } from './listening.ts';
import { type CertificateOf, createCertificateOf } from './mutual-tls.ts';
import type { OrganisationRequests } from './organisations.ts';
import type { PairwiseIdentifier } from './pairwise.ts';
import { postedRequests } from './posted.ts';
import type { SessionSuffices } from './prompts.ts';
import { answerRetriedRefreshes } from './refresh-replay.ts';
import { refuseLateReplays } from './replays.ts';
import type { Screens } from './screens.ts';
import { type Decided, noteServiceTokens } from './service-tokens.ts';

export interface OidcPorts {
  settings: Settings;
  clients: Clients;
  resources: ResourceServers;
  /** Our own APIs: which resource they are, and their scopes. */
  ownApi: Pick<ResourceServer, 'identifier' | 'scopes'>;
  sessions: Sessions;
  /** People as applications are told of them. */
  portraits: (id: string) => Promise<Portrait | undefined>;
  fields: Pick<Fields, 'current' | 'list' | 'onChange'>;
  facts: FactsReader;
  factClaims: FactClaimSettings;
  tokenFacts: TokenFactsReader;
  organisationRequests: OrganisationRequests;
  standing: Standing;
  consents: Consents;
  keys: Keys;
  vault: Vault;
  clock: Clock;
  limits: Limits;
  /** How many user codes may be tried from one address. */
  userCodes: Budget;
  /** How many wrong client secrets may come from where. */
  clientFailures: SecretBudgets;
  /** How much a client may ask for. */
  clientRequests: Rate;
  /** The subject an application knows a person by, when it must not be that of others. */
  pairwise: PairwiseIdentifier;
  log: Log;
  screens: Screens;
  /** The languages of the pages. */
  locales: string[];
  /** Who answers at introspection and revocation once the client is known. */
  tokenEndpoints: (provider: Provider) => TokenEndpoints;
  /** What was decided of services that ask for tokens of their own. */
  serviceTokens: KnownProofs<Decided>;
  jwtCustomizer: ConfigurationPorts['jwtCustomizer'];
  /** Whether a session is enough for what is demanded of its person. */
  suffices: SessionSuffices;
  measure?: ProtocolMeasure | undefined;
  /** Told of each sign-in that came by a provider. */
  cameBy?: CameBy;
}

export interface Oidc {
  /** The engine as it is configured now; do not keep it, keys change. */
  provider(): Provider;
  /** Every endpoint of the protocol; passes on what is not one. */
  endpoints: Middleware;
  /** Those that {@link serviceRequests} names, and nothing in between that they have no use for. */
  services: Middleware;
  /** The same for {@link authorizationRequests}. */
  authorization: Middleware;
  /** The client certificate of a request, wherever TLS ends. */
  certificateOf: CertificateOf;
  /** @throws Refusal `client.metadata_invalid` (invalid) with the engine's words in `details.problem` */
  validateClient(metadata: ClientMetadata): void;
  /** Whether so many wrong secrets of the client came from there that a right one is refused as well. */
  keepsWaiting(clientId: string, ip: string): boolean;
  /** The name by which an application knows an account: pairwise, if the application is. */
  subjectOf(accountId: string, clientId: string): Promise<string>;
  /** The outbox's consumer for {@link logoutTopic}. */
  deliverLogout(ended: EndedAuthorization): Promise<void>;
}

/**
 * The engine with everything it asks of us. A provider costs about a millisecond, so a change of keys or of custom fields
 * builds a new one and swaps it; requests under way end on the one they began with.
 */
export function createOidc(ports: OidcPorts): Oidc {
  const { settings, clients, sessions, keys, clock } = ports;
  const certificateOf = createCertificateOf({
    header: settings.proxy.clientCertificateHeader,
    authorities: settings.server.tls.clientCaFile && readFileSync(settings.server.tls.clientCaFile, 'utf8'),
  });
  const openIdScopes = () => openIdScopesOf(engine.provider);
  const existingGrant = createLoadExistingGrant(ports.consents, sessions, ports.cameBy);
  const loadExistingGrant = async (ctx: KoaContextWithOIDC) => {
    const grant = await existingGrant(ctx);
    await ports.organisationRequests.settle(ctx, grant);
    return grant;
  };
  const shared = {
    ...ports,
    clients: allForEngine(clients),
    resources: allForEngine(ports.resources),
    certificateOf,
    adapter: createAdapterFactory({ clients, sessions, openIdScopes }),
    findAccount: forEngine(createFindAccount(ports) as never),
    tokenFacts: forEngine(ports.tokenFacts),
    loadExistingGrant: forEngine(loadExistingGrant),
    suffices: forEngine(ports.suffices as never),
    renderError: ports.screens.error,
    corsOrigin: (_ctx: Context, origin: string, client: { redirectUris?: string[] }) =>
      (client.redirectUris ?? []).some((uri) => URL.canParse(uri) && new URL(uri).origin === origin),
  };

  const secrets = createSecretCheck({
    clients: allForEngine(clients),
    limits: allForEngine(ports.limits),
    budgets: ports.clientFailures,
    fleeting: sessions.fleeting,
  });

  const build = () => {
    const provider = new Provider(
      settings.issuer,
      configuration(shared as never, { keys: keys.current().all as object[] }),
    );
    provider.proxy = true;
    letRequestsGo(provider);
    secrets.check(provider);
    leaveLogoutToOutbox(provider);
    refuseLateReplays(provider);
    slowDownPolling(provider, sessions.fleeting);
    answerRetriedRefreshes(provider, {
      sessions,
      clock,
      windowSeconds: settings.tokens.refreshTokenReplay,
      certificateOf,
    });
    limitClientRequests(provider, ports.clientRequests);
    noteServiceTokens(provider, ports.serviceTokens);
    provider.registerResponseMode('form_post', ports.screens.formPost as never);
    answerTokenEndpoints(provider, ports.tokenEndpoints(provider));
    logEngine(provider, ports.log);
    if (ports.measure) measureEngine(provider, ports.measure);
    const documents = new Map<string, { body: string; etag: string }>();
    return { provider, documents, run: compose((provider as unknown as Koa).middleware) };
  };

  let engine = build();
  const rebuild = () => {
    engine = build();
    ports.serviceTokens.forgetAll();
  };
  keys.onChange(rebuild);
  ports.fields.onChange(rebuild);

  /** What the engine says of itself, which is the same for all who ask while nothing is configured anew. */
  const discovery: Middleware = async (ctx, next) => {
    if (!ctx.path.startsWith('/.well-known/o')) return next();
    const { documents } = engine;
    if (!documents.has(ctx.path)) {
      await next();
      if (ctx.status !== 200) return;
      const body = JSON.stringify(ctx.body);
      documents.set(ctx.path, { body, etag: sha256(body) });
    }
    const { body, etag } = documents.get(ctx.path)!;
    ctx.vary('Origin');
    ctx.set({ 'access-control-allow-origin': ctx.get('origin') || '*', 'cache-control': 'public, max-age=300' });
    ctx.status = 200;
    ctx.body = body;
    ctx.type = 'application/json';
    ctx.etag = etag;
    if (ctx.fresh) ctx.status = 304;
  };

  const jwks: Middleware = async (ctx, next) => {
    if (ctx.path !== '/jwks' || !['GET', 'HEAD'].includes(ctx.method)) return next();
    const answer = keys.jwks(ctx.get('if-none-match'));
    ctx.set({ ...answer.headers, 'access-control-allow-origin': '*' });
    ctx.status = answer.status;
    ctx.body = answer.status === 304 ? null : answer.body;
  };

  const ownForms = ownFormPages(ports.screens);
  const run: Middleware = (ctx, next) => engine.run(ctx as never, next);

  return {
    provider: () => engine.provider,
    certificateOf,
    endpoints: compose([
      postedRequests,
      limitUserCodes({ limits: ports.limits, budget: ports.userCodes }),
      askForCodeAgain(() => engine.provider),
      jwks,
      ownForms,
      run,
    ]),
    services: compose([jwks, discovery, run]),
    authorization: compose([ownForms, run]),
    keepsWaiting: secrets.keepsWaiting,
    validateClient(metadata) {
      try {
        new (engine.provider.Client as unknown as new (metadata: ClientMetadata) => unknown)({
          ...withoutApiScopes(metadata, openIdScopes()),
          ...((metadata.token_endpoint_auth_method?.startsWith('client_secret') ?? true)
            ? { client_secret: 'x'.repeat(43) }
            : {}),
        });
      } catch (error) {
        const problem = (error as { error_description?: string }).error_description ?? (error as Error).message;
        throw new Refusal('client.metadata_invalid', { kind: 'invalid', details: { problem }, cause: error });
      }
    },
    async subjectOf(accountId, clientId) {
      if ((await clients.find(clientId))?.metadata.subject_type !== 'pairwise') return accountId;
      const client = await engine.provider.Client.find(clientId);
      return ports.pairwise(undefined, accountId, client as never);
    },
    deliverLogout: (ended) => deliverLogout(engine.provider, ended),
  };
}
