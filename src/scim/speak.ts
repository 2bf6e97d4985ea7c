import type { Context, Middleware } from 'koa';
import type { Answer, Conditions } from './answer.ts';
import type { Page } from './query/page.ts';
import type { JsonObject } from './schema/attribute.ts';

const listSchema = 'urn:ietf:params:scim:api:messages:2.0:ListResponse';

/** Headers that scripts of other origins may read and send. A token is asked for at each request, never a cookie. */
const crossOrigin = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers':
    'ETag, Location, Content-Location, Allow, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id',
};
const preflight = {
  'access-control-allow-methods': 'GET, POST, PUT, PATCH, DELETE',
  'access-control-allow-headers': 'Authorization, DPoP, Content-Type, If-Match, If-None-Match, Traceparent',
  'access-control-max-age': '7200',
};

/** Administrators' pages of other origins may call, as they may the REST API. */
export const openToOrigins: Middleware = (ctx, next) => {
  ctx.set(crossOrigin);
  if (ctx.method === 'OPTIONS' && ctx.get('access-control-request-method') !== '') ctx.set(preflight);
  return next();
};

/** SCIM's own type, unless only plain JSON is asked for (RFC 7644, section 3.8). */
const typeFor = (ctx: Context): string => {
  const accept = ctx.get('accept');
  return /application\/json/i.test(accept) && !/application\/scim\+json/i.test(accept)
    ? 'application/json'
    : 'application/scim+json';
};

export function write(ctx: Context, status: number, body: JsonObject): void {
  ctx.status = status;
  ctx.body = JSON.stringify(body);
  ctx.set('content-type', typeFor(ctx));
}

export function speak(ctx: Context, { status, body, location, version }: Answer): void {
  if (location) ctx.set(status === 201 ? 'location' : 'content-location', location);
  if (version) ctx.set('etag', version);
  if (body) write(ctx, status, body);
  else {
    ctx.body = null;
    ctx.status = status;
  }
}

export function list(ctx: Context, { rows, total, next, startIndex }: Page<JsonObject>): void {
  write(ctx, 200, {
    schemas: [listSchema],
    totalResults: total,
    itemsPerPage: rows.length,
    ...(startIndex !== undefined && { startIndex }),
    ...(next !== undefined && { nextCursor: next }),
    Resources: rows,
  });
}

export const all = (ctx: Context, resources: JsonObject[]): void =>
  list(ctx, { rows: resources, total: resources.length, startIndex: 1 });

/** Which versions the request is meant for. */
export const conditionsOf = (ctx: Context): Conditions => ({
  ...(ctx.get('if-match') && { ifMatch: ctx.get('if-match') }),
  ...(ctx.get('if-none-match') && { ifNoneMatch: ctx.get('if-none-match') }),
});

const one = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value);

export const parametersOf = (ctx: Context): JsonObject =>
  Object.fromEntries(Object.entries(ctx.query).map(([name, value]) => [name, one(value)]));
