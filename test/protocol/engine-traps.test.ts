import { createServer, request as httpRequest, type Server } from 'node:http';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cardea, freePorts, startCardea } from '../support/cardea.ts';
import { told } from '../support/command.ts';
import { PASSWORD } from '../support/flows.ts';
import {
  ADA,
  authorize,
  bootstrap,
  CALLBACK,
  clients,
  createPerson,
  ORDERS,
  requestKey,
  STOCK,
} from '../support/seeds.ts';
import { allowDevice, claimsOf, type TokenClient, times, tokenClient } from '../support/token-client.ts';

// One test or more for each numbered trap of the notes on the engine that is not a race (engine-traps-races.test.ts),
// an outage (test/faults/stores.test.ts) or an inside of the engine (src/oidc/engine-internals.test.ts).

let cardea: Cardea;
let web: TokenClient;
let other: TokenClient;
let orders: TokenClient;
let service: TokenClient;
/** Applications' servers: hears of sign-outs, hangs, hands out keys. */
let world: Server;
let heard: string[] = [];
let keySet: () => string = () => '{"keys":[]}';
let hanging = false;

const people = Object.fromEntries(
  ['stopped', 'audited', 'consenting'].map((name) => [
    name,
    { email: `${name}@example.com`, password: PASSWORD, state: 'Active' },
  ]),
);

beforeAll(async () => {
  const [worldPort] = await freePorts(1);
  const at = `http://localhost:${worldPort}`;
  world = createServer((request, response) => {
    heard.push(request.url!);
    if (request.url === '/keys') return void response.setHeader('content-type', 'application/json').end(keySet());
    if (!hanging) response.end();
  }).listen(worldPort);
  cardea = await startCardea({
    env: { CARDEA_LOG_LEVEL: 'trace' },
    settings: { demo: { enabled: false }, outbound: { timeout: '1s' } },
    bootstrap: {
      ...bootstrap,
      users: [...bootstrap.users, ...Object.values(people)],
      clients: [
        ...bootstrap.clients,
        keyed(`${at}/keys`),
        {
          ...clients.web,
          client_id: 'hearing',
          backchannel_logout_uri: `${at}/logout`,
          post_logout_redirect_uris: [CALLBACK],
        },
        { ...clients.web, client_id: 'brief', grant_types: ['authorization_code'] },
      ],
    },
  });
  web = tokenClient(cardea.issuer, clients.web);
  other = tokenClient(cardea.issuer, clients.other);
  orders = tokenClient(cardea.issuer, clients.orders);
  service = tokenClient(cardea.issuer, clients.service);
});
afterAll(async () => {
  world?.closeAllConnections();
  world?.close();
  await cardea?.stop();
});

const errorOf = (url: URL) => url.searchParams.get('error');
const silently = (parameters: Record<string, string> = {}) => web.authorizeUrl({ prompt: 'none', ...parameters });
const forOrders = {
  parameters: { resource: ORDERS, scope: 'openid orders:read' },
  tokenParameters: { resource: ORDERS },
};
const forStock = {
  parameters: { resource: STOCK, scope: 'openid stock:read' },
  tokenParameters: { resource: STOCK },
};

describe('trap 3: JWT access tokens', () => {
  it('a JWT access token is introspected and revoked', async () => {
    const { access_token } = await web.signIn(forOrders);
    expect(await orders.introspect(access_token)).toMatchObject({ active: true, aud: ORDERS, scope: 'orders:read' });
    expect(await web.revoke(access_token)).toMatchObject({ status: 200 });
    expect(await orders.introspect(access_token)).toEqual({ active: false });
  });

  it('a JWT access token dies with its grant, its session and its signature', async () => {
    const person = createPerson();
    const bound = await web.signIn({ ...forOrders, person });
    expect(await orders.introspect(bound.access_token)).toMatchObject({ active: true });
    const [head, body, signature] = bound.access_token.split('.') as [string, string, string];
    const changed = btoa(JSON.stringify({ ...claimsOf(bound.access_token), scope: 'orders:read orders:write' }));
    const forged = [head, changed.replaceAll('=', ''), signature].join('.');
    const unsigned = [btoa('{"alg":"none","typ":"at+jwt"}').replaceAll('=', ''), body, ''].join('.');
    for (const token of [forged, unsigned, bound.id_token])
      expect(await orders.introspect(token)).toEqual({ active: false });

    const asked = await person.open(`${cardea.issuer}/logout`);
    await person.submit(asked, {}, { button: 'yes' });
    expect(await orders.introspect(bound.access_token)).toEqual({ active: false });

    const kept = await web.signIn(forOrders);
    await web.revoke(kept.refresh_token);
    expect(await orders.introspect(kept.access_token)).toEqual({ active: false });
  });

  it('a JWT access token of a service is introspected and revoked, though no person stands behind it', async () => {
    const { body } = await service.credentials({ resource: ORDERS, scope: 'orders:read' });
    const token = String(body.access_token);
    expect(await orders.introspect(token)).toMatchObject({ active: true, sub: 'service', client_id: 'service' });
    await service.revoke(token);
    expect(await orders.introspect(token)).toEqual({ active: false });
  });
});

describe('trap 4: acr_values', () => {
  const level = 'urn:cardea:acr:password';

  it('acr_values is enforced, also for prompt=none', async () => {
    const person = createPerson();
    const { id_token } = await web.signIn({ person, parameters: { claims: '{"id_token":{"acr":null}}' } });
    expect(claimsOf(id_token)).toMatchObject({ acr: level });
    expect(errorOf(await authorize(silently({ acr_values: level }), { person }))).toBeNull();

    // As a session that was less well proved would be.
    await cardea.alterSessions(claimsOf(id_token).sub!, `acr = 'urn:cardea:acr:less'`);
    expect(errorOf(await authorize(silently({ acr_values: level }), { person }))).toBe(
      'unmet_authentication_requirements',
    );
    expect(errorOf(await authorize(silently({ acr_values: `urn:nobody:knows ${level}` }), { person }))).toBe(
      'unmet_authentication_requirements',
    );
    const asked = await person.open(web.authorizeUrl({ acr_values: level }));
    expect(asked.url.pathname).toMatch(/^\/signin\/[^/]+\/(identifier|password)$/);
    const stepped = await web.signIn({
      person,
      parameters: { acr_values: level, claims: '{"id_token":{"acr":null}}' },
    });
    expect(claimsOf(stepped.id_token)).toMatchObject({ acr: level });
  });

  it('an essential acr that nobody can reach is refused and not asked for ever', async () => {
    const claims = JSON.stringify({ id_token: { acr: { essential: true, values: ['urn:nobody:knows'] } } });
    const person = createPerson();
    const back = await authorize(web.authorizeUrl({ claims }), { person });
    expect(errorOf(back)).toBe('unmet_authentication_requirements');
  });

  it('prompt=create leads to registration', async () => {
    const page = await createPerson().open(web.authorizeUrl({ prompt: 'create' }));
    expect(page.url.pathname).toMatch(/^\/signin\/[^/]+\/register$/);
    const metadata = await discovery();
    expect(metadata.prompt_values_supported).toContain('create');
    expect(metadata.acr_values_supported).toContain(level);
  });
});

describe('trap 5: a person who was stopped', () => {
  it('a person suspended under a live session meets the sign-in page, not a 500', async () => {
    const person = createPerson();
    const { email } = people.stopped!;
    const { id_token } = await web.signIn({ person, email });
    // Not by the room that would end the session with it: as if both happened in the same instant.
    const at = async (state: string) => {
      await cardea.sql('update user_account set state = $2 where id = $1', [claimsOf(id_token).sub, state]);
      // A hole in the journal of stops: nobody believes what they remember.
      await cardea.sql('update stop_head set n = n + 1');
    };
    await at('Suspended');
    for (const url of [
      web.authorizeUrl(),
      silently(),
      new URL(`${cardea.issuer}/`),
      new URL(`${cardea.issuer}/logout`),
    ]) {
      const page = await person.open(url);
      expect(page.status).toBeLessThan(500);
      expect(page.url.searchParams.get('code')).toBeNull();
    }
    await at('Active');

    await told(cardea, 'user', 'suspend', email);
    const page = await person.open(web.authorizeUrl());
    expect(page.status).toBe(200);
    expect(page.url.pathname).toMatch(/\/identifier$/);
    expect(errorOf(await authorize(silently(), { person }))).toBe('login_required');
  });
});

describe('trap 6: the Host header', () => {
  it('a Host other than the issuer’s is refused before discovery is built from it', async () => {
    for (const path of ['/.well-known/openid-configuration', '/jwks', '/authorize', '/']) {
      const answer = await ask(cardea, path, { host: 'evil.example' });
      expect(answer.status).toBe(400);
      expect(answer.body).not.toContain('evil.example');
    }
    const metadata = await discovery();
    for (const [name, value] of Object.entries(metadata)) {
      if (/_(endpoint|uri|iframe)$/.test(name)) expect(new URL(String(value)).origin).toBe(cardea.issuer);
    }
  });
});

describe('trap 7: the life of a grant', () => {
  it('a grant lives at least as long as its refresh tokens, from the first to the last of the chain', async () => {
    const lives = (sub: unknown) =>
      cardea.sql<{ enough: boolean; days: number }>(
        `select g.expires_at >= t.expires_at as enough,
           extract(epoch from t.expires_at - now()) / 86400 as days
         from refresh_token t join authorization_grant g on g.id = t.grant_id where g.account_id = $1 and g.ended_at is null`,
        [sub],
      );
    const tokens = await web.signIn({ email: people.audited!.email, parameters: { scope: 'openid offline_access' } });
    const { sub } = claimsOf(tokens.id_token);
    let next = tokens.refresh_token;
    for (let round = 0; round < 2; round++) {
      const rows = await lives(sub);
      expect(rows.length).toBeGreaterThan(round);
      expect(rows.every(({ enough }) => enough)).toBe(true);
      // As after weeks of use.
      await cardea.sql(`update authorization_grant set expires_at = now() + interval '1 day' where account_id = $1`, [
        sub,
      ]);
      next = String((await web.refresh(next)).body.refresh_token);
    }
    expect((await lives(sub)).every(({ enough }) => enough)).toBe(true);
  });
});

describe('trap 8: what is kept and what is told', () => {
  it('no token, code, cookie or password is readable in the database or the log', async () => {
    const person = createPerson();
    const code = await web.code({ person, parameters: { scope: 'openid offline_access', nonce: 'a-nonce-of-ours' } });
    const tokens = (await web.redeem(code)).body;
    const opaque = await web.signIn({ ...forStock, person });
    const device = tokenClient(cardea.issuer, clients.device);
    const started = await device.startDevice();
    const pushed = String((await web.push()).body.request_uri);
    const unused = await web.code({ person });
    await web.userinfo(String(tokens.access_token));
    await web.introspect(String(tokens.refresh_token));
    await web.redeem('a-code-that-nobody-was-given');
    await web.refresh(`${tokens.refresh_token}x`);

    const session = person.cookies.all().filter(({ name }) => /^(session|device|browser)$/.test(name));
    expect(session).toHaveLength(3);
    const secrets = [
      ...[tokens.access_token, tokens.refresh_token, tokens.id_token, opaque.access_token, code, unused],
      ...[started.device_code, started.user_code, started.user_code.replace('-', ''), pushed.split(':').at(-1)],
      ...session.map(({ value }) => value),
      ...[PASSWORD, clients.web.client_secret, cardea.env.CARDEA_SECRET],
    ].map(String);
    const stored = await wholeDatabase();
    const log = cardea.logs();
    for (const secret of secrets) {
      expect(stored.includes(secret), `in the database: ${secret.slice(0, 6)}…`).toBe(false);
      expect(log.includes(secret), `in the log: ${secret.slice(0, 6)}…`).toBe(false);
    }
    expect(log).not.toContain(ADA.email);
    expect(log).toMatch(/"path":"\/token"/);
  });
});

describe('trap 9: the cookie of a sign-in', () => {
  it('belongs to the pages of that sign-in alone, so that tabs do not overwrite each other', async () => {
    const person = createPerson();
    const [one, two] = [await person.open(web.authorizeUrl()), await person.open(other.authorizeUrl())];
    const cookies = person.cookies.all().filter(({ name }) => name === 'signin');
    expect(cookies.map(({ path }) => path).sort()).toEqual(
      [one, two].map(({ url }) => url.pathname.replace(/\/[^/]*$/, '')).sort(),
    );
    // The first tab, after the second was opened.
    const password = await person.submit(one, { identifier: ADA.email });
    const done = await person.submit(password, { password: ADA.password });
    expect(done.url.searchParams.get('code')).toBeTruthy();
    const second = await person.submit(two, { identifier: ADA.email });
    expect(second.url.pathname).toMatch(/\/password$/);
  });
});

describe('trap 10: the policy of the sign-in pages', () => {
  it('has no form-action, which would block the way back to the application, and still allows no foreign script', async () => {
    const person = createPerson();
    const page = await person.open(web.authorizeUrl());
    const password = await person.submit(page, { identifier: ADA.email });
    for (const { headers } of [page, password]) {
      const policy = headers.get('content-security-policy')!;
      expect(policy).not.toContain('form-action');
      expect(policy).toMatch(/default-src 'none'.*base-uri 'none'.*frame-ancestors 'none'.*script-src 'self' 'nonce-/);
      expect(policy).not.toContain('unsafe');
    }
  });
});

describe('trap 11: dynamic registration', () => {
  it('is closed to the world', async () => {
    const response = await fetch(`${cardea.issuer}/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ redirect_uris: ['https://evil.example/'] }),
    });
    expect([401, 403, 404]).toContain(response.status);
    const metadata = await discovery();
    if (response.status === 404) expect(metadata).not.toHaveProperty('registration_endpoint');
    expect(await cardea.sql(`select 1 from client where metadata::text like '%evil.example%'`)).toEqual([]);
  });
});

describe('trap 12: what the engine asks us is answered with a Boolean', () => {
  it('for public and confidential clients, with and without PKCE, refresh and an Origin', async () => {
    const spa = tokenClient(cardea.issuer, clients.spa);
    const brief = tokenClient(cardea.issuer, { ...clients.web, client_id: 'brief' });
    expect((await spa.signIn()).refresh_token).toBeTruthy();
    expect((await brief.signIn()).refresh_token).toBeUndefined();

    const person = createPerson();
    const bare = web.authorizeUrl();
    for (const name of ['code_challenge', 'code_challenge_method']) bare.searchParams.delete(name);
    expect((await authorize(bare, { person })).searchParams.get('code')).toBeTruthy();

    const { access_token } = await web.signIn(forStock);
    expect(await spa.post('/introspect', { token: access_token })).toMatchObject({ body: { active: false } });
    for (const [origin, allowed] of [
      ['http://localhost:9', 'http://localhost:9'],
      ['https://evil.example', null],
    ] as const) {
      const answer = await fetch(`${cardea.issuer}/token`, {
        method: 'POST',
        headers: { origin },
        body: new URLSearchParams({ grant_type: 'authorization_code', code: 'x', client_id: 'spa' }),
      });
      expect(answer.status).toBeLessThan(500);
      expect(answer.headers.get('access-control-allow-origin')).toBe(allowed);
    }
    expect(cardea.logs()).not.toMatch(/TypeError|the protocol engine failed/);
  });
});

describe('trap 13: introspection', () => {
  it('answers a resource server of its own tokens, and any other confidential client nothing', async () => {
    const stranger = tokenClient(cardea.issuer, clients.stranger);
    const another = tokenClient(cardea.issuer, { ...clients.web, client_id: 'brief' });
    for (const request of [forOrders, forStock, {}]) {
      const tokens = await web.signIn(request);
      for (const token of [tokens.access_token, tokens.refresh_token]) {
        expect(await stranger.introspect(token)).toEqual({ active: false });
        expect(await another.introspect(token)).toEqual({ active: false });
        expect(await web.introspect(token)).toMatchObject({ active: true });
      }
      // A refresh token is the client's alone, and so is a token for userinfo.
      expect(await orders.introspect(tokens.refresh_token)).toEqual({ active: false });
      expect(await orders.introspect(tokens.access_token)).toMatchObject({
        active: request !== undefined && 'parameters' in request,
      });
    }
  });
});

describe('trap 14: claims', () => {
  it('of scopes are given at userinfo, not in the ID token, and are loaded when they are given out', async () => {
    const { id_token, access_token } = await web.signIn({ parameters: { scope: 'openid profile email' } });
    expect(claimsOf(id_token)).not.toHaveProperty('email');
    expect(claimsOf(id_token)).not.toHaveProperty('name');
    await cardea.sql(`update user_account set name = 'Ada King' where id = $1`, [claimsOf(id_token).sub]);
    expect((await web.userinfo(access_token)).body).toMatchObject({ email: ADA.email, name: 'Ada King' });
  });
});

describe('trap 15: consent', () => {
  const email = people.consenting!.email;
  const steps = (way: { url: string }[]) => way.map(({ url }) => new URL(url).pathname.split('/').at(-1));
  async function signInAndSee(client: TokenClient, parameters: Record<string, string> = {}) {
    const person = createPerson();
    const first = await person.open(client.authorizeUrl({ scope: 'openid email', ...parameters }));
    const second = await person.submit(first, { identifier: email });
    return { person, page: await person.submit(second, { password: PASSWORD }) };
  }

  it('is not asked for the organisation’s own application, unless it says prompt=consent', async () => {
    const { page } = await signInAndSee(web);
    expect(page.url.searchParams.get('code')).toBeTruthy();
    const { page: asked } = await signInAndSee(web, { prompt: 'consent' });
    expect(steps(asked.way)).toContain('consent');
    expect(asked.status).toBe(200);
  });

  it('is asked once for a person, an application and its scopes: a new session asks for what is new', async () => {
    const { person, page } = await signInAndSee(other);
    expect(page.url.pathname).toMatch(/\/consent$/);
    const agreed = await person.submit(page, {}, { button: 'allow' });
    expect(agreed.url.searchParams.get('code')).toBeTruthy();
    const { page: again } = await signInAndSee(other);
    expect(again.url.searchParams.get('code')).toBeTruthy();
    const { page: more } = await signInAndSee(other, { scope: 'openid email phone' });
    expect(more.url.pathname).toMatch(/\/consent$/);
  });
});

describe('trap 16: refresh tokens', () => {
  it('are given to a client that may use them, without offline_access and without prompt=consent', async () => {
    expect((await web.signIn()).refresh_token).toBeTruthy();
    expect((await web.signIn({ parameters: { scope: 'openid offline_access' } })).refresh_token).toBeTruthy();
  });
});

describe('trap 17: back-channel logout', () => {
  it('does not keep a person waiting for an application that hangs, and tells it when it answers again', async () => {
    const hearing = tokenClient(cardea.issuer, { ...clients.web, client_id: 'hearing' });
    const person = createPerson();
    const { id_token } = await hearing.signIn({ person });
    heard = [];
    hanging = true;
    const started = performance.now();
    const hint = new URLSearchParams({ id_token_hint: id_token, post_logout_redirect_uri: CALLBACK });
    let page = await person.open(`${cardea.issuer}/logout?${hint}`);
    if (page.status !== 0) page = await person.submit(page, {}, { button: 'yes' });
    expect(page.url.href).toMatch(CALLBACK);
    expect(performance.now() - started).toBeLessThan(900);
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBeGreaterThan(0);
    hanging = false;
    const before = heard.length;
    await expect.poll(() => heard.length, { timeout: 20_000 }).toBeGreaterThan(before);
    await expect.poll(pendingLogouts, { timeout: 10_000 }).toBe(0);
  }, 45_000);
});

const pendingLogouts = async () =>
  Number(
    (await cardea.sql<{ count: string }>(`select count(*) from outbox where topic = 'back-channel-logout'`))[0]!.count,
  );

describe('trap 18: calls to addresses that a client named', () => {
  it('end at a size and a time, and the client is refused in the protocol’s words', async () => {
    const keyedClient = (base: string) => tokenClient(base, { client_id: 'keyed' });
    const prove = async () =>
      keyedClient(cardea.issuer).post('/introspect', { token: 'x', ...(await assertion('keyed', cardea.issuer)) });
    heard = [];
    keySet = () => `{"keys":[],"padding":"${'x'.repeat(1_000_000)}"}`;
    expect(await prove()).toMatchObject({ status: 401, error: 'invalid_client' });
    expect(heard).toContain('/keys');
    const jwk = { ...requestKey.publicKey.export({ format: 'jwk' }), kid: 'request', alg: 'ES256', use: 'sig' };
    keySet = () => JSON.stringify({ keys: [jwk] });
    await expect.poll(prove, { timeout: 10_000 }).toMatchObject({ status: 200, body: { active: false } });
  });
});

describe('trap 20: what is for trying the engine out', () => {
  it('is not there: neither its sign-in, nor its keys, nor its memory, nor its warnings', async () => {
    for (const path of ['/interaction/x', '/interaction/x/abort', '/auth']) {
      expect((await fetch(cardea.issuer + path)).status).toBe(404);
    }
    const { keys } = (await (await fetch(`${cardea.issuer}/jwks`)).json()) as { keys: { kid: string; n?: string }[] };
    expect(keys.length).toBeGreaterThan(1);
    expect(JSON.stringify(keys)).not.toMatch(/keystore-CHANGE-ME|"d":/);
    // The engine's own words. Node and PostgreSQL warn of things of theirs, which is no sign of it.
    const told = cardea.logs().split('\n');
    const signs = /oidc-provider (WARNING|NOTICE)|development-only|quick start|MemoryAdapter/i;
    expect(told.filter((line) => signs.test(line))).toEqual([]);
  });
});

describe('trap 24: the device flow', () => {
  it('tells a device that polls too often to slow down, and lets it in afterwards', async () => {
    const device = tokenClient(cardea.issuer, clients.device);
    const started = await device.startDevice();
    expect(await device.poll(started.device_code)).toMatchObject({ error: 'authorization_pending' });
    const together = async () => (await times(3, () => device.poll(started.device_code))).map(({ error }) => error);
    expect(await together()).toContain('slow_down');
    await allowDevice(cardea.issuer, createPerson(), started.user_code);
    expect(await device.poll(started.device_code)).toMatchObject({ status: 200 });
  });
});

describe('trap 25: what stands around the engine', () => {
  it('leaves the engine its bodies, and what it does not know to our own page', async () => {
    const posted = await fetch(`${cardea.issuer}/authorize`, {
      method: 'POST',
      redirect: 'manual',
      body: web.authorizeUrl().searchParams,
    });
    expect(posted.status).toBe(303);
    expect((await service.credentials({ resource: ORDERS, scope: 'orders:read' })).status).toBe(200);
    const missing = await fetch(`${cardea.issuer}/token/x`, { headers: { accept: 'text/html' } });
    expect(missing.status).toBe(404);
    const text = await missing.text();
    expect(text).toContain('<main');
    expect(text).toContain(missing.headers.get('x-request-id')!);
    for (const path of ['/token', '/jwks', '/authorize', '/userinfo'])
      expect((await fetch(cardea.issuer + path, { redirect: 'manual' })).headers.get('x-content-type-options')).toBe(
        'nosniff',
      );
  });
});

describe('behind a proxy that ends TLS', () => {
  let proxied: Cardea;
  const issuer = 'https://id.example.com';
  const forwarded = { host: 'id.example.com', 'x-forwarded-proto': 'https', 'x-forwarded-for': '203.0.113.7' };
  beforeAll(async () => {
    const [port] = await freePorts(1);
    proxied = await startCardea({
      env: { CARDEA_ISSUER: issuer, CARDEA_TRUSTED_PROXIES: 'loopback' },
      settings: {
        demo: { enabled: false },
        outbound: { allow_private_addresses: false },
        limits: { user_codes: { points: 3, window: '15m' } },
      },
      bootstrap: { ...bootstrap, clients: [...bootstrap.clients, keyed(`http://localhost:${port}/keys`)] },
    });
    privateNet = createServer((request, response) => {
      reached.push(request.url!);
      response.end('{"keys":[]}');
    }).listen(port);
  });
  let privateNet: Server;
  const reached: string[] = [];
  afterAll(async () => {
    privateNet?.close();
    await proxied?.stop();
  });

  it('trap 21: cookies and addresses come out as https', async () => {
    const metadata = await ask(proxied, '/.well-known/openid-configuration', forwarded);
    const { token_endpoint, issuer: said } = JSON.parse(metadata.body);
    expect([said, token_endpoint]).toEqual([issuer, `${issuer}/token`]);
    const query = `client_id=web&response_type=code&scope=openid&redirect_uri=${encodeURIComponent(CALLBACK)}`;
    const started = await ask(proxied, `/authorize?${query}`, forwarded);
    expect(started.status).toBe(303);
    const cookies = started.headers['set-cookie'] ?? [];
    expect(cookies.length).toBeGreaterThan(0);
    for (const cookie of cookies) expect(cookie.toLowerCase()).toMatch(/^__(host|secure)-.*; secure/);
    expect(started.headers['strict-transport-security']).toBeTruthy();
  });

  it('trap 18: addresses of private networks are not called', async () => {
    const body = new URLSearchParams({ token: 'x', client_id: 'keyed', ...(await assertion('keyed', issuer)) });
    const answer = await ask(
      proxied,
      '/introspect',
      { ...forwarded, 'content-type': 'application/x-www-form-urlencoded' },
      body,
    );
    expect(answer).toMatchObject({ status: 401 });
    expect(JSON.parse(answer.body).error).toBe('invalid_client');
    expect(reached).toEqual([]);
  });

  it('trap 24: user codes are limited per address, which is the one the proxy tells', async () => {
    const guess = (from: string) =>
      ask(
        proxied,
        '/device',
        { ...forwarded, 'x-forwarded-for': from, 'content-type': 'application/x-www-form-urlencoded' },
        new URLSearchParams({ user_code: 'AAAA-AAAA', xsrf: 'x' }),
      );
    const statuses = [];
    for (let tries = 0; tries < 5; tries++) statuses.push((await guess('203.0.113.9')).status);
    expect(statuses.slice(3)).toEqual([429, 429]);
    expect(statuses.slice(0, 3)).not.toContain(429);
    expect((await guess('203.0.113.10')).status).not.toBe(429);
  });
});

/** A client whose keys are somewhere else. */
function keyed(jwks_uri: string) {
  return {
    client_id: 'keyed',
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    jwks_uri,
    grant_types: [],
    response_types: [],
    redirect_uris: [],
  };
}

async function assertion(client: string, audience: string) {
  const signed = await new SignJWT({ jti: crypto.randomUUID() })
    .setProtectedHeader({ alg: 'ES256', kid: 'request' })
    .setIssuer(client)
    .setSubject(client)
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime('1m')
    .sign(requestKey.privateKey);
  return {
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: signed,
  };
}

const discovery = async () =>
  (await (await fetch(`${cardea.issuer}/.well-known/openid-configuration`)).json()) as Record<string, unknown>;

/** Every row of every table as text. */
async function wholeDatabase(): Promise<string> {
  const tables = await cardea.sql<{ name: string }>(
    `select format('%I', table_name) as name from information_schema.tables where table_schema = 'public'`,
  );
  const rows = await Promise.all(
    tables.map(({ name }) => cardea.sql<{ row: string }>(`select t::text as row from ${name} t`)),
  );
  return rows
    .flat()
    .map(({ row }) => row)
    .join('\n');
}

/** As a proxy asks: with a Host and headers of its own. */
function ask(at: Cardea, path: string, headers: Record<string, string>, body?: URLSearchParams) {
  return new Promise<{ status: number; body: string; headers: import('node:http').IncomingHttpHeaders }>(
    (resolve, reject) => {
      const method = body ? 'POST' : 'GET';
      const asked = httpRequest({ host: 'localhost', port: at.env.PORT, path, method, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode!, body: text, headers: response.headers }));
      });
      asked.on('error', reject).end(body?.toString());
    },
  );
}
