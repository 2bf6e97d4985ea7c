import { readFileSync } from 'node:fs';
import Router from '@koa/router';
import type { Middleware } from 'koa';
import { mfa } from '../credentials/index.ts';
import type { AppContext } from '../platform/http/index.ts';
import { problemBoundary } from './boundary.ts';
import { bulkKind, bulkTask } from './bulk.ts';
import { createIdempotency } from './idempotency.ts';
import { openApi } from './openapi.ts';
import type { ApiPorts } from './ports.ts';
import { referencePage } from './reference.ts';
import type { Route } from './route.ts';
import { administratorRoutes } from './routes/administrators.ts';
import { belongingRoutes } from './routes/belonging.ts';
import { bulkRoutes } from './routes/bulk.ts';
import { directoryRoutes } from './routes/directory.ts';
import { fieldRoutes } from './routes/fields.ts';
import { groupRoutes } from './routes/groups.ts';
import { historyRoutes } from './routes/history.ts';
import { identityRoutes } from './routes/identity.ts';
import { membershipRoutes } from './routes/memberships.ts';
import { organisationDomainRoutes } from './routes/organisation-domains.ts';
import { organisationInvitationRoutes } from './routes/organisation-invitations.ts';
import { organisationMemberRoutes } from './routes/organisation-members.ts';
import { organisationRoutes } from './routes/organisations.ts';
import { peopleRoutes } from './routes/people.ts';
import { personStateRoutes } from './routes/person-states.ts';
import { roleRoutes } from './routes/roles.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { settingsRoutes } from './routes/settings.ts';
import { taskRoutes } from './routes/tasks.ts';
import { transferRoutes } from './routes/transfer.ts';
import { prefix, serve } from './serve.ts';

export interface Api {
  router: Router;
  /** To be mounted before the router: it takes what is thrown below `/api`. */
  boundary: Middleware;
  /** Removes what has expired; call it every hour or so. */
  tidy(): Promise<void>;
}

/** How fresh the second factor must be for what is dangerous, in seconds. */
const fresh = 5 * 60;

export function createApi(ports: ApiPorts): Api {
  const { settings, present, vault } = ports;
  const idempotency = createIdempotency(ports);
  const routes: Route[] = [
    peopleRoutes,
    personStateRoutes,
    administratorRoutes,
    identityRoutes,
    settingsRoutes,
    sessionRoutes,
    historyRoutes,
    membershipRoutes,
    belongingRoutes,
    directoryRoutes,
    bulkRoutes,
    taskRoutes,
    transferRoutes,
    groupRoutes,
    roleRoutes,
    organisationRoutes,
    organisationMemberRoutes,
    organisationInvitationRoutes,
    organisationDomainRoutes,
    fieldRoutes,
  ].flatMap((routesOf) => routesOf(ports));
  ports.tasks.register(bulkKind, bulkTask(ports));
  const { points, window: seconds } = settings.limits.apiRequests;
  const served = serve(routes, {
    ...ports,
    idempotency,
    settings: {
      requests: { name: 'api.requests', points, seconds, onFault: 'open' },
      stepUp: { acr: mfa, maxAge: fresh },
      strict: settings.mode !== 'production',
    },
  });

  const about = { issuer: settings.issuer, title: `${settings.branding.name}: user API`, version: versionOf() };
  let document: { text: string; etag: string } | undefined;
  const documented = () => {
    const text = JSON.stringify(openApi(routes, about));
    document ??= { text, etag: `"${vault.mac(text, 'api.document').slice(0, 16)}"` };
    return document;
  };

  const open = new Router({ prefix });
  open.get('/openapi.json', (ctx) => {
    const { text, etag } = documented();
    ctx.set({ etag, 'cache-control': 'no-cache' });
    ctx.type = 'application/openapi+json';
    ctx.status = 200;
    if (ctx.fresh) ctx.status = 304;
    else ctx.body = text;
  });
  open.get('/docs', (ctx) => present.page(ctx as unknown as AppContext, referencePage(routes, about)));
  const router = new Router();
  router.use(open.routes(), served.routes());

  return {
    router,
    boundary: below(prefix, problemBoundary(settings)),
    tidy: idempotency.tidy,
  };
}

const below =
  (path: string, middleware: Middleware): Middleware =>
  (ctx, next) =>
    ctx.path === path || ctx.path.startsWith(`${path}/`) ? middleware(ctx, next) : next();

const versionOf = () =>
  (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version;
