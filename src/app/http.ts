import type Router from '@koa/router';
import Koa, { type Middleware } from 'koa';
import compose from 'koa-compose';
import { widgetHosts } from '../credentials/index.ts';
import { createFront } from '../front/index.ts';
import { introspectShortly } from '../introspection/index.ts';
import {
  answerUserinfoShortly,
  authorizationRequests,
  issueServiceTokensShortly,
  protocolPaths,
  routes,
  serviceRequests,
} from '../oidc/index.ts';
import {
  createCookieKeys,
  createTrust,
  errorBoundary,
  health,
  limitPages,
  onlyHost,
  publicProtocol,
  requestTrace,
  securityHeaders,
  serviceHeaders,
  trustProxies,
} from '../platform/http/index.ts';
import { createRate } from '../platform/index.ts';
import type { Telemetry } from '../platform/telemetry/index.ts';
import { signOutThere, straightIn } from '../signin/index.ts';
import type { Domain } from './domain.ts';
import type { Doors } from './doors.ts';
import type { Ground } from './ground.ts';

/** What a request meets, from the outside in. */
export function createHandler(
  ground: Ground,
  domain: Domain,
  doors: Doors,
  options: { isReady: () => boolean; telemetry: Pick<Telemetry, 'requests' | 'answered'> | undefined },
) {
  const { settings, issuer, vault, db, limits, log, measures, views } = ground;
  const { oidc, routers, screens, api } = doors;
  const { trusted, clientCertificateHeader: certificateHeader } = settings.proxy;

  const https = issuer.startsWith('https:');
  const koa = new Koa({ proxy: true });
  koa.keys = createCookieKeys(vault.macs('cookies', 'cookies'));
  publicProtocol(koa, issuer);
  const measured = measures?.requests(pathsOf(routers));
  const traced = options.telemetry?.requests?.(pathsOf(routers));
  const watched = [measured?.middleware, traced, requestTrace(log)].filter((one) => one !== undefined);

  koa.use(trustProxies({ trusted, certificateHeader, log }));
  // Most of what is asked: nothing stands in its way that is there for pages.
  const services = [...watched, serviceHeaders({ https }), errorBoundary(), onlyHost(issuer), oidc.services];
  koa.use(forRequests(serviceRequests, compose(services)));
  koa.use(health({ isReady: async () => options.isReady() && (await db.query('select 1')).length === 1 }));
  for (const watching of watched) koa.use(watching);
  koa.use(securityHeaders({ https, widgets: widgetHosts(settings.captcha.provider) }));
  koa.use(errorBoundary(screens.fault));
  const limited = limitPages(createRate({ limits, budget: domain.credentials.budgets.pageRequests }));
  koa.use(forRequests(authorizationRequests, compose([onlyHost(issuer), limited, straightIn, oidc.authorization])));
  koa.use(api.boundary);
  koa.use(views.assets.middleware);
  koa.use(onlyHost(issuer));
  koa.use(limited);
  for (const router of routers) koa.use(router.routes()).use(router.allowedMethods());
  koa.use(signOutThere({ ...domain, provider: oidc.provider }));
  koa.use(oidc.endpoints);
  // Whatever is thrown past the boundary is a connection's fault, not a request's.
  koa.on('error', (error: Error) => log.warn({ err: error }, 'a connection failed'));

  const subject = oidc.subjectOf;
  const ways = [
    introspectShortly({ ...doors, path: routes.introspection, rate: doors.clientRequests }),
    answerUserinfoShortly({ ...ground, ...domain, path: routes.userinfo, subject }),
    issueServiceTokensShortly({
      ...{ ...ground, ...domain },
      path: routes.token,
      known: doors.serviceTokens,
      rate: doors.clientRequests,
      issued: measures?.protocol.tokensIssued,
    }),
  ];
  return createFront(
    { issuer, log, isTrusted: createTrust(trusted), measure: measured?.answered, traced: options.telemetry?.answered },
    ways,
    koa.callback(),
  );
}

/** @param requests methods and paths, as `POST /token`; all others are passed on */
const forRequests =
  (requests: ReadonlySet<string>, middleware: Middleware): Middleware =>
  (ctx, next) =>
    requests.has(`${ctx.method} ${ctx.path}`) ? middleware(ctx, next) : next();

/** Every route there is, as the routers spell it. */
const pathsOf = (routers: readonly Router[]): string[] => [
  ...routers.flatMap((router) => router.stack.map(({ path }) => String(path))),
  ...protocolPaths,
  '/assets/:name',
];
