import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { clients, ORDERS } from '../support/seeds.ts';
import { tokenClient } from '../support/token-client.ts';
import { ADMIN, type ApiStage, apiStage } from './stage.ts';

// Who may ask what, and what is said to those who ask wrongly: for every route of the document.

type Operation = {
  operationId: string;
  security: { token: string[] }[];
  parameters: { name: string; in: string; required: boolean }[];
  responses: Record<string, { content?: Record<string, { schema: { $ref?: string } }> }>;
};

let stage: ApiStage;
let routes: { method: string; path: string; operation: Operation }[];
let document: { components: { schemas: Record<string, object> } };
beforeAll(async () => {
  stage = await apiStage();
  const { body } = await stage.call('GET', '/openapi.json', { token: '' });
  document = body;
  routes = Object.entries(body.paths as Record<string, Record<string, Operation>>).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
});
afterAll(() => stage?.stop());

const somebody = '0192f000-0000-7000-8000-0000000000aa';
const words: Record<string, string> = { session: 'x', name: 'cost_centre', domain: 'house.example' };
const concrete = (path: string) => path.replace(/\{(\w+)\}/g, (_, name) => words[name] ?? somebody);

/** Every problem is one of the documented form. */
const problem = () =>
  z.fromJSONSchema({
    ...document.components.schemas.Problem,
    $schema: 'https://json-schema.org/draft/2020-12/schema',
  } as never);

describe('every route', () => {
  it('asks for a token, and says so', async () => {
    expect(routes.length).toBeGreaterThan(60);
    for (const { method, path, operation } of routes) {
      if (operation.security.length === 0) continue;
      const answer = await stage.call(method, concrete(path), { token: '' });
      expect([method, path, answer.status, answer.body.code]).toEqual([method, path, 401, 'token.missing']);
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer /);
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
      expect(problem().safeParse(answer.body).error).toBeUndefined();
    }
  });

  it('takes no token for another audience, and none without its scope', async () => {
    const orders = await tokenClient(stage.cardea.issuer, clients.service).credentials({
      resource: ORDERS,
      scope: 'orders:read',
    });
    for (const { method, path, operation } of routes) {
      const scopes = operation.security[0]?.token ?? [];
      if (scopes.length === 0) continue;
      const foreign = await stage.call(method, concrete(path), { token: String(orders.body.access_token) });
      expect([path, foreign.status]).toEqual([path, 401]);
      const scim = await stage.call(method, concrete(path), { token: stage.tokens.scim });
      expect([path, scim.status, scim.body.code]).toEqual([path, 403, 'token.insufficient_scope']);
      if (!scopes.some((scope) => scope.endsWith('.write'))) continue;
      const reader = await stage.call(method, concrete(path), { token: stage.tokens.reader });
      expect([path, reader.status]).toEqual([path, 403]);
    }
  });

  it('that reaches others is closed to people who are not administrators, whatever their token says', async () => {
    for (const { method, path, operation } of routes) {
      const scopes = operation.security[0]?.token ?? [];
      if (scopes.length === 0 || scopes.some((scope) => scope.startsWith('account.'))) continue;
      const answer = await stage.call(method, concrete(path).replace(somebody, stage.ids.grace), {
        token: stage.tokens.ada,
      });
      expect([path, answer.status, answer.body.code]).toEqual([path, 403, 'token.insufficient_scope']);
    }
  });

  it('that is of the person themselves is closed to services', async () => {
    for (const { method, path } of routes.filter(({ path }) => path.startsWith('/users/me'))) {
      const answer = await stage.call(method, concrete(path), { token: stage.tokens.writer });
      expect([path, answer.status]).toEqual([path, 403]);
    }
  });

  it('answers as the document promises', async () => {
    const { ids, tokens } = stage;
    for (const { method, path, operation } of routes.filter(({ method }) => method === 'GET')) {
      const token = path.startsWith('/users/me') ? tokens.ada : tokens.writer;
      const answer = await stage.call(method, concrete(path).replace(somebody, ids.grace), { token });
      if (path.startsWith('/admin/tasks') || answer.status !== 200) continue;
      const named = operation.responses['200']!.content!['application/json']!.schema;
      const schema = {
        ...named,
        $defs: document.components.schemas,
        $schema: 'https://json-schema.org/draft/2020-12/schema',
      };
      const text = JSON.stringify(schema).replaceAll('#/components/schemas/', '#/$defs/');
      expect([path, z.fromJSONSchema(JSON.parse(text)).safeParse(answer.body).error?.issues]).toEqual([
        path,
        undefined,
      ]);
    }
  });
});

describe('what is dangerous', () => {
  const dangerous = () =>
    [
      ['DELETE', `/users/${somebody}`, undefined],
      ['POST', `/users/${somebody}/grant-administrator`, undefined],
      ['POST', '/admin/users/bulk', { action: { do: 'suspend' }, ids: [somebody] }],
    ] as const;

  it('asks an administrator for a fresh second factor (RFC 9470)', async () => {
    for (const [method, path, body] of dangerous()) {
      const answer = await stage.call(method, path, { token: stage.tokens.admin, body });
      expect([path, answer.status, answer.body.code]).toEqual([path, 401, 'token.insufficient_authentication']);
      expect(answer.headers.get('www-authenticate')).toMatch(
        /error="insufficient_user_authentication".*acr_values="urn:cardea:acr:mfa", max_age="300"/,
      );
    }
  });

  it('is not given to services where a person must decide', async () => {
    const answer = await stage.call('POST', `/users/${stage.ids.ada}/grant-administrator`);
    expect(answer).toMatchObject({ status: 403, body: { code: 'caller.not_in_person' } });
  });
});

describe('a service', () => {
  it('does not touch administrators: not their address, not their state', async () => {
    const { call, ids } = stage;
    const path = `/users/${ids.admin}`;
    for (const [method, at, body] of [
      ['PATCH', path, { email: 'mine@evil.example', email_verified: true }],
      ['POST', `${path}/suspend`, undefined],
      ['POST', `${path}/require-password-reset`, undefined],
      ['DELETE', path, undefined],
    ] as const) {
      expect(await call(method, at, { body })).toMatchObject({ status: 403, body: { code: 'caller.not_permitted' } });
    }
    expect((await call('GET', path)).body).toMatchObject({ email: ADMIN.email, state: 'Active' });
  });
});

describe('a person', () => {
  it('changes what is their own, and neither their state, nor their address, nor their rights', async () => {
    const { call, tokens } = stage;
    for (const body of [
      { administrator: true },
      { email: 'x@evil.example' },
      { state: 'Active' },
      { user_name: 'root' },
      { picture: 'https://x.example/' },
    ]) {
      const answer = await call('PATCH', '/users/me', { token: tokens.grace, body });
      expect(answer).toMatchObject({
        status: 400,
        body: { errors: [{ pointer: `/${Object.keys(body)[0]}`, code: 'unknown' }] },
      });
    }
    expect((await call('PATCH', '/users/me', { token: tokens.grace, body: { nickname: 'G' } })).body.nickname).toBe(
      'G',
    );
  });

  it('chooses their settings, of which letters about safety are none', async () => {
    const { call, tokens, ids } = stage;
    const token = tokens.grace;
    const first = await call('GET', '/users/me/settings', { token });
    expect(first.body).toMatchObject({ theme: 'system', notifications: { security: { email: true } } });
    const etag = first.headers.get('etag')!;
    const changed = await call('PATCH', '/users/me/settings', {
      token,
      headers: { 'if-match': etag },
      body: { theme: 'dark', language: 'de' },
    });
    expect(changed.body).toMatchObject({ theme: 'dark', language: 'de' });
    expect((await call('PATCH', '/users/me/settings', { token, headers: { 'if-match': etag }, body: {} })).status).toBe(
      412,
    );
    expect((await call('PUT', '/users/me/settings', { token, body: { theme: 'light' } })).body).toMatchObject({
      theme: 'light',
      language: null,
    });
    const silenced = { notifications: { security: { email: false } } };
    expect((await call('PATCH', '/users/me/settings', { token, body: silenced })).status).toBe(400);
    const letters = `/users/${ids.grace}/email-preferences`;
    expect((await call('PUT', letters, { body: { security: false, account: true, news: true } })).status).toBe(400);
    expect((await call('PUT', letters, { body: { account: false, news: true } })).body).toEqual({
      security: true,
      account: false,
      news: true,
    });
    expect((await call('GET', '/users/me/email-preferences', { token })).body.news).toBe(true);
  });

  it('sees where they are signed in and ends it there', async () => {
    const { call, signedIn, ids } = stage;
    const token = await signedIn('grace@example.com', 'account.read account.write');
    const { items } = (await call('GET', '/users/me/sessions', { token })).body;
    expect(items.length).toBeGreaterThan(1);
    const own = (await call('GET', `/users/${ids.grace}/sessions`)).body.items;
    expect(own.map(({ id }: { id: string }) => id)).toEqual(items.map(({ id }: { id: string }) => id));
    const path = `/users/me/sessions/${items.at(-1).id}`;
    expect((await call('DELETE', path, { token })).status).toBe(204);
    expect((await call('DELETE', path, { token })).body.code).toBe('session.unknown');
    expect((await call('DELETE', `/users/${ids.grace}/sessions`)).status).toBe(204);
    expect((await call('GET', '/users/me', { token })).status).toBe(401);
  });

  it('has a history, page by page', async () => {
    const { call, ids } = stage;
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor ? `&cursor=${encodeURIComponent(cursor)}` : '';
      const page: { items: { id: string; type: string }[]; next: string | null } = (
        await call('GET', `/users/${ids.grace}/audit?limit=3${query}`)
      ).body;
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.next;
    } while (cursor);
    expect(seen.length).toBeGreaterThan(4);
    expect(seen).toEqual([...new Set(seen)].toSorted().toReversed());
    const only = (await call('GET', `/users/${ids.grace}/audit?type=signin.succeeded`)).body.items;
    expect(new Set(only.map(({ type }: { type: string }) => type))).toEqual(new Set(['signin.succeeded']));
  });
});

describe('a request that is none', () => {
  const refused = async (
    body: string | undefined,
    headers: Record<string, string> = {},
    path = '/admin/users',
    method = 'POST',
  ) => {
    const { status, body: answer } = await stage.call(method, path, { body, headers });
    expect(problem().safeParse(answer).success).toBe(true);
    return [status, answer.code];
  };

  it('says what is wrong with it', async () => {
    const malformed = [400, 'request.malformed'];
    expect(await refused('{')).toEqual(malformed);
    expect(await refused('{"name":"\\u0000"}')).toEqual(malformed);
    expect(await refused('{"name":"\\ud800"}')).toEqual(malformed);
    expect(await refused('{"__proto__":{"administrator":true}}')).toEqual(malformed);
    expect(await refused('['.repeat(100_000) + ']'.repeat(100_000))).toEqual(malformed);
    expect(await refused(`${'{"a":'.repeat(50)}1${'}'.repeat(50)}`)).toEqual(malformed);
    expect(await refused('null')).toEqual([400, 'request.invalid']);
    expect(await refused('[]')).toEqual([400, 'request.invalid']);
    expect(await refused('{"name":1,"unheard":2}')).toEqual([400, 'request.invalid']);
    expect(await refused('x=1', { 'content-type': 'application/x-www-form-urlencoded' })).toEqual([
      415,
      'request.media_type',
    ]);
    expect(await refused('{}', { 'content-type': 'application/json; charset=latin1' })).toEqual([
      415,
      'request.media_type',
    ]);
    expect(await refused('{}', { 'content-encoding': 'gzip' })).toEqual([415, 'request.media_type']);
    expect(await refused(`{"name":"${'x'.repeat(400_000)}"}`)).toEqual([413, 'request.too_large']);
    expect(await refused(undefined, { accept: 'text/html' }, '/admin/users', 'GET')).toEqual([
      406,
      'request.not_acceptable',
    ]);
    expect(await refused(undefined, {}, '/admin/users/nobody', 'GET')).toEqual([404, 'page.missing']);
    expect(await refused(undefined, {}, '/nothing', 'GET')).toEqual([404, 'page.missing']);
    expect(await refused(undefined, {}, '/users/%E0%A4%A', 'GET')).toEqual([400, 'request.invalid']);
    expect(await refused(undefined, {}, "/users/x' or 1=1", 'GET')).toEqual([400, 'request.invalid']);
    for (const query of [
      'limit=0',
      'limit=201',
      'limit=x',
      'limit=1&limit=2',
      'unheard=1',
      'state=Gone',
      'group=x',
      'q=%00',
      'signed_in_from=yesterday',
      'attributes[a b]=1',
      'sort=name;drop',
    ])
      expect([query, await refused(undefined, {}, `/admin/users?${query}`, 'GET')]).toEqual([
        query,
        [400, 'request.invalid'],
      ]);
  });

  it('with a method that is not there is told which are', async () => {
    const answer = await stage.call('POST', `/users/${somebody}`);
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, PUT, PATCH, DELETE, HEAD, OPTIONS']);
    const preflight = await stage.call('OPTIONS', '/users/me', {
      token: '',
      headers: { origin: 'https://spa.example', 'access-control-request-method': 'PATCH' },
    });
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, '*']);
    expect(preflight.headers.get('access-control-allow-credentials')).toBeNull();
  });

  it('of endless length is not read to its end', async () => {
    const { port } = new URL(stage.api);
    const headers = {
      host: `localhost:${port}`,
      authorization: `Bearer ${stage.tokens.writer}`,
      'content-type': 'application/json',
    };
    const status = await new Promise<number>((resolve) => {
      const sent = request({ port, path: '/api/admin/users', method: 'POST', headers });
      sent.once('response', (response) => resolve(response.statusCode!));
      // The connection is closed under what is still being sent, and the answer may be lost with it.
      sent.on('error', () => resolve(0));
      const fill = () => {
        while (!sent.destroyed && sent.write('x'.repeat(64 * 1024)));
      };
      sent.on('drain', fill);
      fill();
    });
    expect([413, 0]).toContain(status);
  });

  it('of ten megabytes is read to its end, so that whoever sends it hears why it is refused', async () => {
    const body = `{"name":"${'x'.repeat(10 * 1024 * 1024)}"}`;
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => stage.call('POST', '/admin/users', { token: stage.tokens.writer, body })),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(413));
  });
});
