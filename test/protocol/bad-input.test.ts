import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cardea, startCardea } from '../support/cardea.ts';
import { bootstrap, CALLBACK, clients, createPerson } from '../support/seeds.ts';

let cardea: Cardea;
beforeAll(async () => {
  cardea = await startCardea({ bootstrap });
});
afterAll(async () => {
  // Whatever was sent, nothing was a bug and nothing secret was written down.
  const logs = cardea.logs();
  await cardea.stop();
  expect(logs).not.toMatch(/"level":(50|60)|UnhandledPromise|a request failed/);
  for (const { client_secret } of [clients.web, clients.service]) expect(logs).not.toContain(client_secret);
});

const post = (path: string, body: BodyInit, headers: Record<string, string> = {}) =>
  fetch(cardea.issuer + path, { method: 'POST', body, headers, redirect: 'manual' });
const form = (fields: Record<string, string>) => new URLSearchParams(fields);
const basic = (id: string, secret: string) => ({
  authorization: `Basic ${btoa(`${id}:${encodeURIComponent(secret)}`)}`,
});
const authorizeUrl = (parameters: Record<string, string>) =>
  `${cardea.issuer}/authorize?${new URLSearchParams(parameters)}`;
const right = {
  client_id: 'web',
  redirect_uri: CALLBACK,
  response_type: 'code',
  scope: 'openid',
  state: 's',
  code_challenge: 'x'.repeat(43),
  code_challenge_method: 'S256',
};

/** An answer that a stranger may see: of the right kind, and nothing of the inside in it. */
async function clean(response: Response, ...statuses: number[]): Promise<string> {
  const text = await response.text();
  expect(statuses).toContain(response.status);
  expect(text).not.toMatch(/\bat (?:\w+\.)*\w+ \(|node_modules|\.ts:\d+|SyntaxError|TypeError/);
  return text;
}

describe('the authorization endpoint', () => {
  it('never redirects to an address that is not registered', async () => {
    const attempts = [
      'https://evil.example/callback',
      `${CALLBACK}/../evil`,
      `${CALLBACK}?x=1`,
      `${CALLBACK}#x`,
      `${CALLBACK}%0d%0aSet-Cookie:x=1`,
      '//evil.example',
      'javascript:alert(1)',
      'http://localhost:9@evil.example/callback',
      CALLBACK.toUpperCase(),
      '\u{1F98A}',
    ];
    for (const redirect_uri of attempts) {
      const response = await fetch(authorizeUrl({ ...right, redirect_uri }), {
        redirect: 'manual',
        headers: { accept: 'text/html' },
      });
      expect([redirect_uri, response.headers.get('location')]).toEqual([redirect_uri, null]);
      await clean(response, 400);
    }
  });

  it('says what is wrong with a request: to the person without a client, else to the client', async () => {
    const unknown = await fetch(authorizeUrl({ ...right, client_id: 'nobody' }), {
      redirect: 'manual',
      headers: { accept: 'text/html' },
    });
    expect(await clean(unknown, 400)).toContain('<main');
    for (const [wrong, error] of [
      [{ response_type: 'token' }, 'unsupported_response_type'],
      [{ response_type: 'code id_token' }, 'unsupported_response_type'],
      [{ scope: 'openid nonsense' }, undefined],
      [{ prompt: 'none login' }, 'invalid_request'],
      [{ prompt: 'nonsense' }, 'invalid_request'],
      [{ max_age: '-1' }, 'invalid_request'],
      [{ max_age: 'x' }, 'invalid_request'],
      [{ claims: '{' }, 'invalid_request'],
      [{ claims: '{"userinfo":[]}' }, 'invalid_request'],
      [{ code_challenge_method: 'plain' }, 'invalid_request'],
      [{ request: 'a.b.c' }, 'invalid_request_object'],
      [{ request_uri: 'https://evil.example/r' }, undefined],
      [{ response_mode: 'nonsense' }, undefined],
      [{ resource: 'https://nowhere.example' }, 'invalid_target'],
      [{ id_token_hint: 'x' }, 'invalid_request'],
      [{ registration: '{}' }, 'registration_not_supported'],
    ] as const) {
      const { url, status } = await createPerson().open(authorizeUrl({ ...right, ...wrong }));
      // Answers to what would be an implicit flow come in the fragment.
      const said = url.searchParams.get('error') ?? new URLSearchParams(url.hash.slice(1)).get('error');
      if (error) expect(`${JSON.stringify(wrong)} ${said}`).toBe(`${JSON.stringify(wrong)} ${error}`);
      expect(url.searchParams.get('code')).toBeNull();
      expect(status).toBeLessThan(500);
    }
  });

  it('takes parameters it does not know, odd Unicode and long values calmly', async () => {
    for (const odd of [
      { foo: 'bar', constructor: 'x', __proto__: 'y' },
      { state: '\u202e\u0000\ud83e\udd8a\u200b' },
      { nonce: 'n'.repeat(4000) },
      { login_hint: '"><img src=x onerror=alert(1)>' },
      { ui_locales: '../../../etc/passwd' },
      { login_hint: 'ⅻ𝔸🦊@exämple.com' },
    ] as unknown as Record<string, string>[]) {
      const page = await createPerson().open(authorizeUrl({ ...right, ...odd }));
      expect(page.status).toBe(200);
      expect(page.html).not.toContain('<img src=x');
    }
    const long = await fetch(authorizeUrl({ ...right, state: 's'.repeat(60_000) }), { redirect: 'manual' });
    await clean(long, 431, 414, 400, 303);
  });

  it('refuses parameters that are given twice', async () => {
    const response = await fetch(`${authorizeUrl(right)}&client_id=web`, { redirect: 'manual' });
    await clean(response, 400);
  });
});

describe('the token endpoint', () => {
  it('answers malformed requests in the words of RFC 6749', async () => {
    const proved = basic('web', clients.web.client_secret);
    for (const [body, headers, status, error] of [
      [form({}), proved, 400, 'invalid_request'],
      [form({ grant_type: 'nonsense' }), proved, 400, 'unsupported_grant_type'],
      [form({ grant_type: 'password', username: 'a', password: 'b' }), proved, 400, 'unsupported_grant_type'],
      [form({ grant_type: 'authorization_code', code: 'x' }), proved, 400, undefined],
      [form({ grant_type: 'refresh_token', refresh_token: '\u0000' }), proved, 400, 'invalid_grant'],
      [form({ grant_type: 'client_credentials' }), {}, 400, 'invalid_request'],
      [form({ grant_type: 'client_credentials' }), basic('web', 'wrong'), 401, 'invalid_client'],
      [form({ grant_type: 'client_credentials' }), { authorization: 'Basic !!!' }, 400, undefined],
      [form({ grant_type: 'client_credentials' }), { authorization: 'Basic' }, 400, undefined],
      [
        '{"grant_type":"client_credentials"}',
        { ...proved, 'content-type': 'application/json' },
        400,
        'invalid_request',
      ],
      ['%%%=%%%&&&===', { ...proved, 'content-type': 'application/x-www-form-urlencoded' }, 400, undefined],
    ] as const) {
      const response = await post('/token', body, headers);
      const text = await clean(response, status, ...(error ? [] : [401, 400]));
      const answer = JSON.parse(text);
      expect(answer.error).toEqual(error ?? expect.any(String));
      expect(response.headers.get('cache-control')).toContain('no-store');
    }
  });

  it('refuses a body of ten megabytes, on every endpoint, without reading it whole', async () => {
    const big = 'x'.repeat(10 * 1024 * 1024);
    const headers = { 'content-type': 'application/x-www-form-urlencoded', ...basic('web', clients.web.client_secret) };
    const paths = [
      '/token',
      '/par',
      '/introspect',
      '/revoke',
      '/device/authorize',
      '/userinfo',
      '/authorize',
      '/logout',
      '/account/forgot',
      '/signin/x/identifier',
      '/setup/x',
    ];
    for (const path of paths) {
      const status = await post(path, `a=${big}`, headers).then(
        (response) => clean(response, 400, 401, 403, 404, 405, 410, 413).then(() => response.status),
        () => 'cut off',
      );
      expect(status).toBeTruthy();
    }
    expect((await fetch(`${cardea.issuer}/health/ready`)).status).toBe(200);
  });
});

describe('the rest', () => {
  it('refuses another Host before anything is built from it', async () => {
    for (const host of ['evil.example', 'localhost', `localhost:1`, 'localhost@evil.example']) {
      const status = await asHost('/.well-known/openid-configuration', host);
      expect(`${host}: ${status.status}`).toBe(`${host}: 400`);
      expect(status.body).not.toContain('evil.example');
    }
    const forwarded = await fetch(`${cardea.issuer}/.well-known/openid-configuration`, {
      headers: { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' },
    });
    expect(await forwarded.text()).not.toContain('evil.example');
  });

  it('refuses a target that names another host, and tells nobody of it afterwards', async () => {
    const { host } = new URL(cardea.issuer);
    const path = '/.well-known/openid-configuration';
    for (const target of [`http://evil.example${path}`, `//evil.example${path}`, `https://evil.example:443${path}`]) {
      const refused = await asHost(target, host);
      expect([400, 404]).toContain(refused.status);
      expect(refused.body).not.toContain('//evil.example');
    }
    const own = await asHost(`${cardea.issuer}${path}`, host);
    const plain = await asHost(path, host);
    expect(own.status).toBe(200);
    expect(own.body).toBe(plain.body);
    expect(plain.body).not.toContain('evil.example');
  });

  it('tells pages of any origin where everything is, also when it was asked before', async () => {
    const url = `${cardea.issuer}/.well-known/openid-configuration`;
    const [first, again] = [await fetch(url), await fetch(url)];
    const page = await fetch(url, { headers: { origin: 'https://app.example' } });
    for (const { headers } of [first, again]) expect(headers.get('access-control-allow-origin')).toBe('*');
    expect(page.headers.get('access-control-allow-origin')).toBe('https://app.example');
    for (const { headers } of [first, again, page]) expect(headers.get('vary')).toMatch(/Origin/i);
    expect(await again.text()).toBe(await page.text());
    const etag = again.headers.get('etag')!;
    expect((await fetch(url, { headers: { 'if-none-match': etag, 'cache-control': 'max-age=0' } })).status).toBe(304);
  });

  it('throws nothing at forged cookies', async () => {
    const names = ['session', 'session.sig', 'signin', 'signin.sig', 'resume', 'browser', 'device', 'lang'];
    for (const value of ['x', '%00', '../../x', '"', 'ey.J.x', 'a'.repeat(3000), '%F0%9F%A6%8A']) {
      const cookie = names.map((name) => `${name}=${value}`).join('; ');
      for (const path of [
        '/',
        '/authorize?client_id=web',
        '/signin/x',
        '/signin/x/password',
        '/logout',
        '/device',
        '/account/password',
      ]) {
        await clean(
          await fetch(cardea.issuer + path, { headers: { cookie, accept: 'text/html' }, redirect: 'manual' }),
          200,
          302,
          303,
          400,
          401,
          403,
          404,
          410,
          431,
        );
      }
    }
  });

  it('refuses a form without the token of its page, and one of another site', async () => {
    const person = createPerson();
    const page = await person.open(authorizeUrl(right));
    const action = new URL(
      page.forms.find(({ fields }) => fields.some(({ name }) => name === 'identifier'))!.action,
      page.url,
    );
    const fields = form({ identifier: 'ada@example.com' });
    const bare = await person.load(action, { method: 'POST', body: fields });
    expect(bare.status).toBe(403);
    const csrf = page.forms.flatMap((one) => one.fields).find(({ name }) => name === 'csrf')!.value;
    fields.set('csrf', csrf);
    const crossSite = await person.request(action, {
      method: 'POST',
      body: fields,
      headers: { 'sec-fetch-site': 'cross-site' },
    });
    await clean(crossSite, 403);
    const stranger = createPerson();
    await stranger.open(authorizeUrl(right));
    const stolen = await stranger.load(action, { method: 'POST', body: fields });
    expect(stolen.status).toBe(403);
  });

  it('odd addresses in forms are refused in words, not with a fault', async () => {
    for (const identifier of [
      '',
      ' ',
      'a'.repeat(300),
      'a@b',
      '\u202eada@example.com',
      "'; drop table user_account; --@example.com",
      'ada@example.com\r\nBcc: all@example.com',
      'ａｄａ@example.com',
      '\u0000@example.com',
    ]) {
      const person = createPerson();
      const page = await person.submit(await person.open(authorizeUrl(right)), { identifier });
      expect(page.status).toBeLessThan(500);
      const forgot = await person.open(`${cardea.issuer}/account/forgot`);
      expect((await person.submit(forgot, { email: identifier })).status).toBeLessThan(500);
    }
  });

  it('unknown addresses and methods are told from one another', async () => {
    const html = { accept: 'text/html' };
    expect(await clean(await fetch(`${cardea.issuer}/nowhere`, { headers: html }), 404)).toContain('<main');
    await clean(await fetch(`${cardea.issuer}/nowhere`), 404);
    await clean(await fetch(`${cardea.issuer}/token`), 404, 405);
    await clean(await fetch(`${cardea.issuer}/signin/x`, { method: 'DELETE' }), 404, 405, 403);
    for (const path of [
      '/%',
      '/%00',
      '/..%2f..%2fetc/passwd',
      '/assets/../package.json',
      '/assets/..%2f..%2fpackage.json',
      '//evil.example/',
      '/\\evil.example',
      '/.env',
      '/signin/%F0%9F%A6%8A',
    ]) {
      const { status, body, location } = await asHost(path, new URL(cardea.issuer).host);
      expect([400, 401, 403, 404, 410, 303]).toContain(status);
      expect(body).not.toMatch(/"dependencies"|root:|node_modules/);
      expect(location ?? '').not.toContain('evil.example');
    }
  });

  it('lives on after broken HTTP', async () => {
    const { port } = new URL(cardea.issuer);
    for (const raw of [
      '\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
      'POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      '\u0016\u0003\u0001',
    ]) {
      await new Promise<void>((resolve) => {
        const socket = connect(Number(port), 'localhost', () => socket.write(raw));
        socket.on('error', () => resolve()).on('close', () => resolve());
        socket.on('data', () => socket.destroy());
        socket.setTimeout(1_000, () => socket.destroy());
      });
    }
    expect((await fetch(`${cardea.issuer}/health/live`)).status).toBe(200);
  });

  it('userinfo asks for a token in the words of RFC 6750', async () => {
    const bare = await fetch(`${cardea.issuer}/userinfo`);
    await clean(bare, 400, 401);
    const wrong = await fetch(`${cardea.issuer}/userinfo`, { headers: { authorization: 'Bearer x' } });
    await clean(wrong, 401);
    expect(wrong.headers.get('www-authenticate')).toContain('invalid_token');
  });
});

/** `fetch` sets the Host by itself, and tidies paths: this asks as it is told. */
function asHost(path: string, host: string): Promise<{ status: number; body: string; location?: string }> {
  const { hostname, port } = new URL(cardea.issuer);
  return new Promise((resolve, reject) => {
    const asked = httpRequest({ hostname, port, path, headers: { host, accept: 'text/html' } }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          body,
          ...(response.headers.location && { location: response.headers.location }),
        }),
      );
    });
    asked.on('error', reject).end();
  });
}
