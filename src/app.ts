import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type Router from '@koa/router';
import Koa from 'koa';
import { accountClient, createAccount } from './account/index.ts';
import { createApi } from './api/index.ts';
import { createClients, createResourceServers } from './clients/index.ts';
import { createCredentialIntake, createCredentials, rememberedCookieName, widgetHosts } from './credentials/index.ts';
import { createEventLog, createEvents, createRelay } from './events/index.ts';
import { createFederation } from './federation/index.ts';
import {
  createAnswer,
  createBearer,
  createFront,
  createKnownCallers,
  createTokenEndpoints,
  ownApi,
  withOrigin,
} from './introspection/index.ts';
import { createKeys } from './keys/index.ts';
import {
  createDevelopmentMailbox,
  createHttpSms,
  createMail,
  createMailboxSms,
  createSms,
  createSmtpTransport,
  type DevelopmentMailbox,
  mailTopic,
  type SmsTransport,
  smsTopic,
} from './mail/index.ts';
import { createMailbox } from './mailbox/index.ts';
import {
  createOidc,
  createOrganisationRequests,
  createPairwise,
  createScreens,
  grantMissing,
  home,
  logoutTopic,
  type Oidc,
  protocolPaths,
  queueLogout,
  routes,
} from './oidc/index.ts';
import type { Settings } from './platform/config/index.ts';
import { createDb, ensureSchema } from './platform/db/index.ts';
import {
  createCsrf,
  createPresenter,
  createTrust,
  errorBoundary,
  health,
  limitPages,
  onlyHost,
  publicProtocol,
  requestTrace,
  securityHeaders,
  trustProxies,
} from './platform/http/index.ts';
import {
  addressKey,
  type Clock,
  connectRedis,
  createBus,
  createLimits,
  createRate,
  createStops,
  createVault,
  type Log,
  secondsAfter,
  systemClock,
} from './platform/index.ts';
import { createJobs, createTasks } from './platform/jobs/index.ts';
import { createObjects } from './platform/objects/index.ts';
import type { Telemetry } from './platform/telemetry/index.ts';
import { createViews } from './platform/views.ts';
import { createScim, scimBudget } from './scim/index.ts';
import { createSessions } from './sessions/index.ts';
import { createSetup, currentBranding } from './setup/index.ts';
import { createSignin, signOutThere } from './signin/index.ts';
import { createOldSystem, createTransfer, createTrickle } from './transfer/index.ts';
import {
  createConsents,
  createFacts,
  createFieldConditions,
  createFields,
  createGroups,
  createIntake,
  createMemberships,
  createOrganisations,
  createPermissions,
  createPictures,
  createResolver,
  createRoles,
  createStanding,
  createTokenFacts,
  createUserSearch,
  createUsers,
  createUserTally,
  createWords,
  pictureTopic,
  type ResolveTxt,
  UserEntity,
} from './users/index.ts';

const root = join(import.meta.dirname, '..');
/** The folder of the migrations. */
export const migrations = join(root, 'migrations');

/**
 * The house, built by hand from the ground up: read it top to bottom, it is the architecture. Nothing runs yet when
 * this returns but the connections; {@link App.start} sets the periodic work going.
 * @param options.databaseUrl where PostgreSQL is, be it the operator's or the embedded one
 */
export async function createApp(options: {
  settings: Settings;
  databaseUrl: string;
  log: Log;
  clock?: Clock;
  telemetry?: Pick<Telemetry, 'requests'>;
  /** Proves domains; the machine's own name servers otherwise. */
  resolveTxt?: ResolveTxt;
}) {
  const { settings, databaseUrl, log, clock = systemClock, telemetry, resolveTxt = createResolver() } = options;
  const https = settings.issuer.startsWith('https:');
  const development = settings.mode !== 'production';

  // ── ground
  const vault = createVault(settings.secrets);
  const store = { url: databaseUrl, entities: [UserEntity], migrations, log };
  // A migration may take its time, a request may not: each has connections of its own.
  await ensureSchema({
    url: databaseUrl,
    migrations,
    apply: settings.database.migrate,
    open: () => createDb(store),
    log,
  });
  const { replicaUrl, replicaLag, connections } = settings.database;
  const replica = replicaUrl ? { url: replicaUrl, mostLag: replicaLag } : undefined;
  const db = await createDb({ ...store, connections, answerWithin: 10, replica });
  const redis = settings.redis.url ? await connectRedis(settings.redis.url, log) : undefined;
  const bus = await createBus({ url: databaseUrl, db, log });
  const stops = createStops({ db, redis, clock, log });
  const limits = createLimits({ pool: db.pool, redis, vault, log });
  const jobs = createJobs({ db, clock, log });
  const tasks = createTasks({ db, clock, log, bus });
  const measures = settings.metrics.port === undefined ? undefined : await startMeasures();
  const objects = await createObjects(settings);
  const branding = await currentBranding({ db, bus, clock, settings, log });
  const views = createViews({ dir: join(root, 'views'), branding, production: !development, log });

  // ── domain
  const eventLog = createEventLog({ log });
  const events = createEvents({
    db,
    clock,
    log,
    vault,
    bus,
    subscribers: [eventLog.subscriber],
    recorded: measures?.recorded,
  });
  const mailbox = settings.mailbox.enabled ? createDevelopmentMailbox({ db, clock }) : undefined;
  const mail = createMail({
    db,
    clock,
    vault,
    events,
    views,
    transport: mailbox ?? createSmtpTransport({ url: settings.mail.smtpUrl! }),
    settings: { from: settings.mail.from, letters: settings.limits.lettersToRecipient },
  });
  const textMessages = smsTransport(settings, mailbox);
  const sms = textMessages && createSms({ clock, events, transport: textMessages });
  const keys = createKeys({ db, vault, clock, bus, log, events, stops, settings: settings.keys });
  const clients = createClients({ db, bus, clock, events, stops, own: [accountClient(settings)] });
  const resources = createResourceServers({ db, bus, clock, stops, own: [ownApi(settings)] });
  const standing = createStanding({ db, stops });
  const refreshReplaySeconds = settings.tokens.refreshTokenReplay;
  const sessions = createSessions({ db, redis, clock, vault, mayHold: standing.mayHold, stops, refreshReplaySeconds });
  sessions.onEnded((ended) => queueLogout(events, ended));
  const users = createUsers({ db, sessions, events, clock });
  const pictures = createPictures({ db, clock, objects, events, users, issuer: settings.issuer });
  const fields = createFields({ db, bus, clock, events });
  await fields.start();
  const groups = createGroups({ db, events, clock });
  const permissions = createPermissions({ db, events });
  const roles = createRoles({ db, clock, events });
  const { groupClaim, mostGroups, invitation } = settings.directory;
  const factClaims = { groupClaim, mostGroups, issuer: settings.issuer };
  const facts = createFacts({ db, mostGroups });
  const tokenFacts = createTokenFacts(facts, factClaims);
  const organisations = createOrganisations({
    ...{ db, bus, clock, log, events, mail, resolveTxt, facts, roles },
    home: `${settings.issuer}/account/organisations`,
    invitationLink: (token) => `${settings.issuer}/account/invitation?token=${token}`,
    invitationLife: invitation,
  });
  const words = createWords({ db, clock });
  const search = createUserSearch({ db, words, field: createFieldConditions({ fields }) });
  const tally = createUserTally({ db, clock });
  const consents = createConsents({ db, clock });
  const credentials = createCredentials({
    db,
    clock,
    log,
    vault,
    limits,
    settings,
    users,
    sessions,
    events,
    mail,
    sms,
    codeText: (locale, code) => views.words(locale)('sms.code', { code, organisation: branding().name }),
    noticeText: (locale, what, link) => {
      const say = views.words(locale);
      return say('sms.notice', { what: say(`mail.notice.${what}.subject`), link, organisation: branding().name });
    },
    groupsOf: groups.of,
    hashingWaited: measures?.hashingWaited,
    elsewhere: {
      has: (userId) => federation.identities.hasWayIn(userId),
      removeSince: (userId, since) => federation.identities.removeSince(userId, since),
    },
  });

  const federation = createFederation({
    db,
    bus,
    clock,
    vault,
    log,
    events,
    users,
    fields,
    sessions,
    keys,
    settings,
    tell: (user, what, from) => credentials.notices.tell(user, what, from),
    hasOwnWayIn: async (accountId) => {
      const { password, passkeys } = await credentials.factors.of(accountId);
      return password || passkeys > 0;
    },
  });
  const transfer = createTransfer({
    ...credentials,
    db,
    clock,
    log,
    vault,
    tasks,
    users,
    intake: createIntake({ db, clock }),
    credentialIntake: createCredentialIntake({ db, clock, vault }),
    memberships: createMemberships({
      ...{ db, clock, events, groups },
      isClient: async (id) => (await clients.find(id)) !== undefined,
    }),
    groups,
    roles,
    permissions,
    organisations,
    events,
    fields,
    settings: { imports: { maxBytes: settings.imports.maxMib * 1024 * 1024 } },
  });
  const { url: oldUrl, secret: oldSecret, auth, timeout, trustEmail } = settings.trickle;
  const trickle =
    oldUrl && oldSecret
      ? createTrickle({
          ...credentials,
          db,
          users,
          events,
          fields,
          oldSystem: createOldSystem({ settings: { url: oldUrl, secret: oldSecret, auth, timeout }, clock, log }),
          settings: { trustEmail, timeout },
        })
      : undefined;

  // ── doors
  const csrf = createCsrf({ vault, https });
  const present = createPresenter({ views, csrf, https });
  const screens = createScreens({ present, users });
  await keys.start();
  const organisationRequests = createOrganisationRequests({ db, clock, users, organisations });
  await stops.catchUp().catch((error: unknown) => log.warn({ err: error }, 'nothing is answered from memory yet'));
  const callers = createKnownCallers({ clients, stops, clock });
  const clientRequests = createRate({ limits, budget: credentials.budgets.clientRequests });
  const answer = createAnswer({
    keys,
    clients,
    resources,
    sessions,
    standing,
    issuer: settings.issuer,
    clock,
    facts: tokenFacts,
    subject: (accountId, clientId) => oidc.subjectOf(accountId, clientId),
    answered: measures?.introspected,
  });
  const oidc: Oidc = createOidc({
    settings,
    clients,
    resources,
    ownApi: ownApi(settings),
    sessions,
    users,
    fields,
    facts,
    factClaims,
    tokenFacts,
    organisationRequests,
    standing,
    consents,
    keys,
    vault,
    clock,
    limits,
    userCodes: credentials.budgets.userCodes,
    clientFailures: credentials.budgets,
    clientRequests,
    pairwise: await createPairwise({ db, clock }),
    log,
    screens,
    locales: views.locales,
    tokenEndpoints: createTokenEndpoints({
      keys,
      sessions,
      issuer: settings.issuer,
      clock,
      answer,
      callers,
      rate: clientRequests,
    }),
    suffices: (ctx, session) =>
      credentials.factors.suffices({
        ...session,
        device: ctx.cookies.get(rememberedCookieName(settings.issuer), { signed: false }),
      }),
    jwtCustomizer: withOrigin,
    measure: measures?.protocol,
    cameBy: federation.noteSession,
  });
  const bearer = createBearer({
    issuer: settings.issuer,
    provider: oidc.provider,
    certificateOf: oidc.certificateOf,
    keys,
    clients,
    sessions,
    standing,
    clock,
  });
  const scim = createScim({
    ...credentials,
    issuer: settings.issuer,
    bearer,
    clients,
    db,
    clock,
    vault,
    limits,
    budget: scimBudget(settings.limits.scimRequests),
    users,
    groups,
    fields,
    sessions,
    events,
  });
  const signin = createSignin({
    ...credentials,
    federation,
    countRegistration: async (ip) => void (await limits.demand(credentials.budgets.registrations, addressKey(ip))),
    trickle,
    clock,
    settings,
    provider: oidc.provider,
    grantConsent: (input) => grantMissing(oidc.provider(), { consents, ...input }),
    users,
    fields,
    organisations,
    clients,
    resources,
    sessions,
    events,
    present,
    csrf,
  });
  const account = createAccount({
    ...credentials,
    db,
    clock,
    settings,
    limits,
    provider: oidc.provider,
    federation,
    users,
    pictures,
    fields,
    organisations,
    sessions,
    clients,
    consents,
    events,
    present,
    csrf,
  });
  const setup = createSetup({
    ...credentials,
    db,
    clock,
    settings,
    users,
    clients,
    events,
    present,
    csrf,
    branding,
    validateClient: oidc.validateClient,
  });

  const api = createApi({
    ...credentials,
    settings,
    db,
    clock,
    vault,
    limits,
    present,
    bearer,
    users,
    clients,
    sessions,
    events,
    fields,
    groups,
    roles,
    permissions,
    facts,
    organisations,
    search,
    tally,
    tasks,
    transfer,
  });

  const doors: Router[] = [signin.router, signin.providerRouter, account.router, setup.router, scim.router, api.router];
  doors.push(home({ present, provider: oidc.provider, users }));
  if (mailbox) doors.push(createMailbox({ mailbox, present, settings }));

  const consumers = {
    [mailTopic]: mail.consumer,
    ...(sms ? { [smsTopic]: sms.consumer } : {}),
    [pictureTopic]: pictures.consumer,
    [logoutTopic]: { consume: oidc.deliverLogout, timeoutSeconds: 15, concurrency: 20 },
    [eventLog.subscriber.topic]: eventLog.consume as never,
  };
  const relay = createRelay({ db, clock, log, vault, bus, consumers });
  jobs.every('keys.rotate', 300, keys.rotateIfDue);
  jobs.every('sessions.clean-up', 60, sessions.cleanUp);
  jobs.every('mail.tidy', 3_600, mail.tidy);
  jobs.every('events.tidy', 3_600, () => events.tidy());
  jobs.every('federation.tidy', 3_600, federation.tidy);
  jobs.every('credentials.tidy', 3_600, credentials.tidy);
  jobs.every('credentials.remind', 60, credentials.recoveryLinks.remind);
  jobs.every('api.tidy', 3_600, api.tidy);
  jobs.every('tasks.tidy', 3_600, tasks.tidy);
  jobs.every('transfer.tidy', 3_600, transfer.tidy);
  jobs.every('users.fields', 60, fields.maintain);
  jobs.every('users.organisations', 3_600, async (signal) => {
    await organisations.maintain(signal);
    await organisationRequests.tidy(secondsAfter(clock.now(), -settings.tokens.refreshTokenAbsolute));
  });
  jobs.every('users.tally', 60, tally.fold);
  jobs.every('users.words', 300, words.learn);
  jobs.every('users.words.anew', 86_400, words.relearn);
  jobs.every('events.chain', 60, chainAll(events));
  jobs.every('stops.tidy', 3_600, stops.tidy);

  measures?.watch({
    db,
    redis,
    events,
    topics: Object.keys(consumers),
    keys,
    clock,
    connections,
    hashingLoad: credentials.passwords.hashingLoad,
    caches: {
      clients: clients.cacheReads,
      resource_servers: resources.cacheReads,
      standing: standing.cacheReads,
      callers: callers.reads,
      ...sessions.cacheReads,
    },
  });

  // ── http, from the outside in
  const koa = new Koa({ proxy: true, keys: vault.macs('cookies', 'cookies') });
  const state = { ready: false };
  koa.use(
    trustProxies({
      trusted: settings.proxy.trusted,
      certificateHeader: settings.proxy.clientCertificateHeader,
      log,
    }),
  );
  koa.use(publicProtocol(settings.issuer));
  koa.use(health({ isReady: async () => state.ready && (await db.query('select 1')).length === 1 }));
  const measured = measures?.requests(pathsOf(doors));
  if (measured) koa.use(measured.middleware);
  if (telemetry?.requests) koa.use(telemetry.requests(pathsOf(doors)));
  koa.use(requestTrace(log));
  koa.use(securityHeaders({ https, widgets: widgetHosts(settings.captcha.provider) }));
  koa.use(errorBoundary(screens.fault));
  koa.use(api.boundary);
  koa.use(views.assets.middleware);
  koa.use(onlyHost(settings.issuer));
  koa.use(limitPages(createRate({ limits, budget: credentials.budgets.pageRequests })));
  for (const router of doors) koa.use(router.routes()).use(router.allowedMethods());
  koa.use(signOutThere({ provider: oidc.provider, sessions, federation }));
  koa.use(oidc.endpoints);
  // Whatever is thrown past the boundary is a connection's fault, not a request's.
  koa.on('error', (error: Error) => log.warn({ err: error }, 'a connection failed'));

  return {
    handler: createFront(
      {
        issuer: settings.issuer,
        path: routes.introspection,
        answer,
        callers,
        rate: clientRequests,
        isTrusted: createTrust(settings.proxy.trusted),
        stops,
        log,
        measure: measured?.answered,
      },
      koa.callback(),
    ),
    setupLink: setup.link,
    /** Absent unless they are to be shown. */
    metrics: measures?.metrics,
    ports: {
      db,
      tasks,
      transfer,
      users,
      fields,
      groups,
      permissions,
      roles,
      facts,
      organisations,
      clients,
      resources,
      events,
      keys,
      sessions,
      oidc,
      federation,
      ...credentials,
    },
    start() {
      relay.start();
      jobs.start();
      tasks.work();
      state.ready = true;
    },
    /** Says that it is not ready, so that a balancer turns elsewhere, while requests are still answered. */
    drain() {
      state.ready = false;
    },
    /** After the last request. */
    async close() {
      state.ready = false;
      await Promise.all([relay.stop(), jobs.stop(), tasks.stop()]);
      keys.stop();
      await Promise.all([mail.close(), credentials.close(), bus.close()]);
      redis?.disconnect();
      await db.close();
    },
  };
}

export type App = Awaited<ReturnType<typeof createApp>>;

/** What it takes is loaded only where it is wanted. */
async function startMeasures() {
  const { createMeasures } = await import('./measures/index.ts');
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return createMeasures({ version });
}

/** The way text messages leave, if there is one. */
function smsTransport({ sms }: Settings, mailbox: DevelopmentMailbox | undefined): SmsTransport | undefined {
  if (sms.transport === 'mailbox') return mailbox && createMailboxSms(mailbox);
  if (sms.transport === 'none') return undefined;
  const { url, user, token, from, messagingService, timeout } = sms;
  return createHttpSms({ url: url!, user: user!, token: token!, from, messagingService, timeoutSeconds: timeout });
}

/** Every route there is, as the routers spell it. */
const pathsOf = (doors: readonly Router[]): string[] => [
  ...doors.flatMap((router) => router.stack.map(({ path }) => String(path))),
  ...protocolPaths,
  '/assets/:name',
];

/** Chains the journal until nothing new is left. */
const chainAll = (events: { chain(): Promise<number> }) => async (signal: AbortSignal) => {
  while (!signal.aborted && (await events.chain()) > 0);
};
