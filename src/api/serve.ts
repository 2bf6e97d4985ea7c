import Router from '@koa/router';
import { z } from 'zod';
import type { AppContext } from '../platform/http/index.ts';
import {
  type Allowance,
  type Budget,
  createAllowance,
  type Limits,
  Refusal,
  rateLimitHeaders,
} from '../platform/index.ts';
import { type Bearer, type Caller, isOwn } from './bearer.ts';
import { readJson, readOctets } from './body.ts';
import { checked, invalid, readQuery } from './checks.ts';
import { demandMatch } from './conditions.ts';
import { type Idempotency, idempotencyKey, type KeptAnswer } from './idempotency.ts';
import { isRepeatable, type Reply, type Route, statusesOf } from './route.ts';
import { send, stream } from './send.ts';

export interface ServePorts {
  bearer: Bearer;
  idempotency: Idempotency;
  limits: Pick<Limits, 'take'>;
  settings: {
    /** What one caller may ask. */
    requests: Budget;
    /** What a dangerous thing needs of a person (RFC 9470): the class, and within how many seconds. */
    stepUp: { acr: string; maxAge: number };
    /** Hold answers against their description; outside production, so that tests find what is not as promised. */
    strict: boolean;
  };
}

type Admitting = ServePorts & { allowance: Allowance };
type Fields = Record<string, unknown>;

export const prefix = '/api';
const usualLimit = 256 * 1024;

/** The routes as a router, and whatever else comes to `/api` as a problem. */
export function serve(routes: readonly Route[], ports: ServePorts): Router {
  const router = new Router({ prefix });
  const allowance = createAllowance({ limits: ports.limits, budget: ports.settings.requests });
  // What is written out comes before what is left open: `/users/me` is not the person called me.
  for (const route of routes.toSorted((a, b) => (openness(a.path) < openness(b.path) ? -1 : 1))) {
    const path = route.path.replace(/\{(\w+)\}/g, ':$1');
    router.register(path, [route.method], (ctx) =>
      answer(route, { ...ports, allowance }, ctx as unknown as AppContext, ctx.params as Fields),
    );
  }
  router.all('/{*rest}', (ctx) => elsewhere(routes, ctx as unknown as AppContext));
  return router;
}

const openness = (path: string) => path.replace(/\{\w+\}/g, '~');

/** From the outside in: who, how often, what, on which condition, whether for the first time. */
async function answer(route: Route, ports: Admitting, ctx: AppContext, given: Fields): Promise<void> {
  if (!ctx.accepts('json', 'application/problem+json', ...(route.streams ?? [])) && ctx.get('accept') !== '') {
    throw new Refusal('request.not_acceptable', { kind: 'invalid' });
  }
  const caller = await admit(route, ports, ctx);
  const params = route.params && (checked(route.params, given, 'path') as Fields);
  const asks = route.query ?? noQuery;
  const query = checked(asks, readQuery(asks, ctx.URL.searchParams), 'query') as Fields;
  const isJson = route.method !== 'GET' && route.takesBytes === undefined;
  const sent = isJson ? await readJson(ctx, route.bodyLimit ?? usualLimit) : undefined;
  const body = route.body && checked(route.body, sent, 'body');
  if (!route.body && sent !== undefined && JSON.stringify(sent) !== '{}') {
    throw invalid([{ pointer: '', code: 'unknown', detail: 'There is no body here' }]);
  }
  if (route.ifMatch === 'required' && ctx.get('if-match') === '') {
    throw new Refusal('request.precondition_required', { kind: 'conflict' });
  }

  const reply = () =>
    route.handle({
      params,
      query,
      body,
      caller,
      bytes: () => readOctets(ctx, route.takesBytes!),
      by: byOf(ctx, route, caller),
      demandMatch: (version: number | string) => demandMatch(ctx, version),
      ctx,
    });
  const kept = (reply: Reply<unknown>): KeptAnswer => {
    const status = reply.status ?? statusesOf(route)[0]!;
    if (ports.settings.strict) demandPromised(route, status, reply.body);
    const headers: Record<string, string> = {};
    if (reply.etag) headers.etag = reply.etag;
    if (reply.location) headers.location = prefix + reply.location;
    return { status, headers, body: reply.body === undefined ? undefined : JSON.stringify(reply.body) };
  };

  const key = isRepeatable(route) ? idempotencyKey(ctx.req.headers['idempotency-key']) : undefined;
  if (key === undefined) {
    const answered = await reply();
    return answered.stream ? stream(ctx, answered.stream) : send(ctx, kept(answered));
  }
  const request = JSON.stringify([route.method, ctx.path, ctx.querystring, sent ?? null]);
  const work = async () => kept(await reply());
  const { replayed, ...again } = await ports.idempotency.once(nameOf(caller), key, request, work);
  if (replayed) ctx.set('idempotency-replayed', 'true');
  send(ctx, again);
}

const noQuery = z.strictObject({});

/** A token per request; many requests of one caller are slowed down wherever they come from. */
async function admit(route: Route, ports: Admitting, ctx: AppContext): Promise<Caller> {
  const { bearer, allowance, settings } = ports;
  if (route.scopes.length === 0) return { clientId: '', scopes: new Set() };
  const { scopes, or, orClaim } = route;
  const wanted = { scopes, ...(or && { or }), ...(orClaim && { orClaim }) };
  const caller = await bearer(ctx, { ...wanted, ...(route.dangerous && settings.stepUp) });
  // Said with each answer (draft-ietf-httpapi-ratelimit-headers).
  ctx.set(rateLimitHeaders(settings.requests, await allowance.demand(nameOf(caller))));
  if (route.inPerson && caller.accountId === undefined) {
    throw new Refusal('caller.not_in_person', { kind: 'forbidden' });
  }
  return caller;
}

/** A person through each application, or an application for itself. */
const nameOf = ({ clientId, accountId }: Caller): string => JSON.stringify([clientId, accountId ?? null]);

/** Who reaches others' accounts does it as an administrator; who reaches their own, as the person they are. */
function byOf(ctx: AppContext, route: Route, { clientId, accountId, scopes }: Caller) {
  const reaches = route.scopes.some((scope) => !isOwn(scope) && scopes.has(scope));
  const kind = reaches ? 'administrator' : 'user';
  const actor =
    accountId === undefined ? { kind: 'client' as const, id: clientId } : ({ kind, id: accountId } as const);
  return { actor, ip: ctx.ip };
}

/** @throws Error for an answer that is not as the description promises */
function demandPromised({ answer, method, path, ...rest }: Route, status: number, body: unknown): void {
  const promised = statusesOf({ answer, method, path, ...rest });
  if (!promised.includes(status)) throw new Error(`${method} ${path} does not promise ${status}`);
  if (body === undefined) return;
  if (!answer) throw new Error(`${method} ${path} promises no body`);
  // As it arrives: dates and what is undefined are spelled by JSON.
  const result = (answer as z.ZodType).safeParse(JSON.parse(JSON.stringify(body)));
  if (!result.success) throw new Error(`${method} ${path} answers other than promised: ${result.error.message}`);
}

/** A path that is there with another method (RFC 9110, section 15.5.6), a question what is possible, or nothing. */
function elsewhere(routes: readonly Route[], ctx: AppContext): void {
  const path = ctx.path.slice(prefix.length);
  const here = routes.filter((route) => matcherOf(route).test(path)).map(({ method }) => method);
  if (here.length === 0) throw new Refusal('page.missing', { kind: 'missing' });
  const allowed = [...new Set([...here, ...(here.includes('GET') ? ['HEAD'] : []), 'OPTIONS'])];
  ctx.set('allow', allowed.join(', '));
  if (here.includes('PATCH')) ctx.set('accept-patch', 'application/merge-patch+json, application/json');
  if (ctx.method !== 'OPTIONS') throw new Refusal('request.method', { kind: 'invalid' });
  ctx.status = 204;
}

const matcherOf = ({ path }: Route) => new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}/?$`);
