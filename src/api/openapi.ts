import { z } from 'zod';
import { octets } from './body.ts';
import { problemOf, problems } from './problems.ts';
import { isRepeatable, type Route, statusesOf } from './route.ts';
import { prefix } from './serve.ts';

type Json = Record<string, unknown>;

/** What any route that asks for a token may answer, beside its own refusals. */
const anywhere = ['request.invalid', 'request.not_acceptable', 'limit.exceeded', 'internal', 'store.unavailable'];
const withToken = ['token.malformed', 'token.missing', 'token.invalid', 'token.insufficient_scope'];
const withBody = ['request.malformed', 'request.too_large', 'request.media_type'];

/** Every problem code a route may answer with. */
export const refusalsOf = (route: Route): string[] => [
  ...new Set([
    ...anywhere,
    ...(route.scopes.length > 0 ? withToken : []),
    ...(route.dangerous ? ['token.insufficient_authentication'] : []),
    ...(route.inPerson ? ['caller.not_in_person'] : []),
    ...(route.method === 'GET' ? [] : withBody),
    ...(isRepeatable(route) ? ['idempotency.running', 'idempotency.reused'] : []),
    ...(route.ifMatch ? ['request.precondition_failed'] : []),
    ...(route.ifMatch === 'required' ? ['request.precondition_required'] : []),
    ...(route.refusals ?? []),
  ]),
];

/**
 * The OpenAPI 3.1 document of the routes, out of the same schemas that check requests. A schema with an `id` in its
 * metadata stands once, under `components`.
 */
export function openApi(routes: readonly Route[], about: { issuer: string; version: string; title: string }): Json {
  const schemas: Json = {};
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    paths[route.path] ??= {};
    paths[route.path]![route.method.toLowerCase()] = operation(route, schemas);
  }
  schemas.Problem = problemSchema;
  return {
    openapi: '3.1.1',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: {
      title: about.title,
      version: about.version,
      description:
        'People and what belongs to them. Codes of problems and names of fields are stable; fields may be added to answers.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: about.issuer + prefix }],
    tags: [...new Set(routes.map(({ section }) => section))].map((name) => ({ name })),
    paths,
    components: {
      schemas,
      securitySchemes: {
        token: { type: 'openIdConnect', openIdConnectUrl: `${about.issuer}/.well-known/openid-configuration` },
      },
    },
  };
}

function operation(route: Route, schemas: Json): Json {
  const { params, query, body, answer, method, section, summary, details, scopes, or = [] } = route;
  const success = Object.fromEntries(
    statusesOf(route).map((status) => [
      status,
      {
        description: status === 201 ? 'Made' : status === 202 ? 'Taken on' : status === 204 ? 'Done' : 'As asked',
        headers: {
          ...(route.ifMatch || method === 'GET' ? { ETag: plain('For If-Match and If-None-Match') } : {}),
          ...(status === 201 || status === 202 ? { Location: plain('Where it can be read') } : {}),
          ...(method === 'POST' ? { 'Idempotency-Replayed': plain('true: an answer given before') } : {}),
          ...(scopes.length > 0 ? { RateLimit: plain('What is left, and for how many seconds') } : {}),
        },
        ...(answer && { content: { 'application/json': { schema: schemaOf(answer, 'output', schemas) } } }),
        ...(route.streams && { content: Object.fromEntries(route.streams.map((type) => [type, {}])) }),
      },
    ]),
  );
  return {
    operationId: camel(summary),
    tags: [section],
    summary,
    ...(details && { description: details }),
    security: scopes.length > 0 ? [{ token: [...scopes] }, ...or.map((scope) => ({ token: [scope] }))] : [],
    parameters: [
      ...(params ? parametersOf(params, 'path', schemas) : []),
      ...(query ? parametersOf(query, 'query', schemas) : []),
      ...headersOf(route),
    ],
    ...(route.takesBytes !== undefined && { requestBody: { required: true, content: { [octets]: {} } } }),
    ...(body && {
      requestBody: {
        required: !body.safeParse(undefined).success,
        content: {
          ...(method === 'PATCH' && { 'application/merge-patch+json': { schema: schemaOf(body, 'input', schemas) } }),
          'application/json': { schema: schemaOf(body, 'input', schemas) },
        },
      },
    }),
    responses: { ...success, ...failures(route) },
  };
}

function parametersOf(object: z.ZodObject, place: 'path' | 'query', schemas: Json): Json[] {
  return Object.entries(object.shape).map(([name, field]) => {
    const schema = schemaOf(field as z.ZodType, 'input', schemas) as Json;
    const isObject = schema.type === 'object';
    return {
      name,
      in: place,
      required: place === 'path' || !(field as z.ZodType).safeParse(undefined).success,
      ...(schema.description ? { description: schema.description } : {}),
      ...(isObject && { style: 'deepObject', explode: true }),
      ...(schema.type === 'array' && { style: 'form', explode: false }),
      schema,
    };
  });
}

const plain = (description: string): Json => ({ description, schema: { type: 'string' } });

const header = (name: string, required: boolean, description: string): Json => ({
  ...{ name, in: 'header', required, description },
  schema: { type: 'string' },
});

const headersOf = (route: Route): Json[] => [
  ...(route.ifMatch ? [header('If-Match', route.ifMatch === 'required', 'The ETag of what was read')] : []),
  ...(isRepeatable(route)
    ? [
        {
          ...header('Idempotency-Key', false, 'The same key, the same answer, for a day; done once'),
          schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[!-~]+$' },
        },
      ]
    : []),
];

/** By status; which codes stand behind one is said in its description. */
function failures(route: Route): Json {
  const byStatus = new Map<number, string[]>();
  for (const code of refusalsOf(route)) {
    const status = problemOf(code)?.status ?? 400;
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const failures = [...byStatus].map(([status, codes]) => [
    status,
    {
      description: codes.map((code) => `\`${code}\``).join(', '),
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
    },
  ]);
  // Node ends such a request before anybody of ours sees it.
  return Object.fromEntries([
    ...failures,
    [431, { description: 'Address and headers have more than 16 KiB; no body' }],
  ]);
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output', schemas: Json): Json {
  const { $schema: _, $defs = {}, ...json } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json;
  const rewritten = (value: Json): Json =>
    JSON.parse(JSON.stringify(value).replaceAll('"#/$defs/', '"#/components/schemas/'));
  for (const [name, inner] of Object.entries($defs as Record<string, Json>)) schemas[name] = rewritten(inner);
  // One that has a name itself is told apart from what it holds by that name.
  const { id, ...rest } = json as Json & { id?: string };
  if (!id) return rewritten(json);
  schemas[id] = rewritten(rest);
  return { $ref: `#/components/schemas/${id}` };
}

const problemSchema: Json = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'trace_id'],
  properties: {
    type: { type: 'string', format: 'uri' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string', examples: Object.keys(problems).slice(0, 3), description: 'Stable; see the reference' },
    trace_id: { type: 'string', description: 'Names the request in the logs' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['code', 'detail'],
        properties: {
          pointer: { type: 'string', format: 'json-pointer' },
          parameter: { type: 'string' },
          header: { type: 'string' },
          code: { type: 'string' },
          detail: { type: 'string' },
        },
      },
    },
  },
};

/** `List the sessions of a person` → `listTheSessionsOfAPerson`. */
const camel = (summary: string): string =>
  summary
    .replace(/[^A-Za-z0-9 ]/g, '')
    .split(' ')
    .map((word, index) => (index === 0 ? word.toLowerCase() : word.charAt(0).toUpperCase() + word.slice(1)))
    .join('');
