import { Redis } from 'ioredis';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Cardea, startCardea } from '../support/cardea.ts';
import { freshDatabase } from '../support/database.ts';
import { authorize, bootstrap, clients, createPerson, ORDERS, STOCK } from '../support/seeds.ts';
import { type Answer, type TokenClient, type Tokens, tokenClient } from '../support/token-client.ts';
import { startWire, type Wire, wireToDatabase } from '../support/wire.ts';

// Trap 19: a store out of reach is 503 with a time to come back, and never `invalid_grant`: clients throw their refresh
// tokens away on that, and people would have to sign in again by the thousand.

const settings = { demo: { enabled: false } };
const unavailable = { status: 503, error: 'temporarily_unavailable' };

interface Held {
  tokens: Tokens;
  jwt: Tokens;
  code: string;
  person: ReturnType<typeof createPerson>;
}

/** What clients and people would do meanwhile. */
function everything(issuer: string) {
  const web = tokenClient(issuer, clients.web);
  const orders = tokenClient(issuer, clients.orders);
  const service = tokenClient(issuer, clients.service);
  const device = tokenClient(issuer, clients.device);
  return {
    web,
    async hold(): Promise<Held> {
      const person = createPerson();
      const tokens = await web.signIn({ person, parameters: { scope: 'openid offline_access' } });
      const jwt = await web.signIn({
        person,
        parameters: { resource: ORDERS, scope: 'openid orders:read' },
        tokenParameters: { resource: ORDERS },
      });
      return { tokens, jwt, person, code: await web.code({ person }) };
    },
    async use({ tokens, jwt, code }: Held): Promise<Record<string, Answer>> {
      const [refresh, redeem, userinfo, introspection, jwtIntrospection, credentials, pushed, started] =
        await Promise.all([
          web.refresh(tokens.refresh_token),
          web.redeem(code),
          web.userinfo(tokens.access_token),
          web.post('/introspect', { token: tokens.access_token }),
          orders.post('/introspect', { token: jwt.access_token }),
          service.credentials({ resource: STOCK, scope: 'stock:read' }),
          web.push(),
          device.post('/device/authorize', { scope: 'openid' }),
        ]);
      return { refresh, redeem, userinfo, introspection, jwtIntrospection, credentials, pushed, started };
    },
  };
}

function expectUnavailable(answers: Record<string, Answer>, except: string[] = []): void {
  for (const [name, answer] of Object.entries(answers)) {
    if (except.includes(name)) continue;
    expect({ name, status: answer.status, error: answer.error }).toEqual({ name, ...unavailable });
    expect(Number(answer.headers.get('retry-after')), `${name}: retry-after`).toBeGreaterThan(0);
  }
}

const status = async (cardea: Cardea, path: string, headers: Record<string, string> = {}) =>
  (await fetch(cardea.issuer + path, { headers, redirect: 'manual' })).status;

describe('PostgreSQL out of reach', () => {
  let cardea: Cardea;
  let wire: Wire & { url: string };
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let all: ReturnType<typeof everything>;
  beforeAll(async () => {
    database = await freshDatabase();
    wire = await wireToDatabase(database.url);
    cardea = await startCardea({ settings, bootstrap, env: { DATABASE_URL: wire.url } });
    all = everything(cardea.issuer);
  });
  afterEach(() => wire.mend());
  afterAll(async () => {
    await cardea?.stop();
    wire?.stop();
    await database?.drop();
  });

  it('is 503 and Retry-After at every endpoint, never invalid_grant, and afterwards all goes on', async () => {
    const held = await all.hold();
    wire.cut();
    expectUnavailable(await all.use(held));
    expect(await status(cardea, '/health/ready')).toBe(503);
    expect(await status(cardea, '/health/live')).toBe(200);
    wire.mend();

    await expect.poll(() => status(cardea, '/health/ready'), { timeout: 10_000 }).toBe(200);
    const answers = await all.use(held);
    expect(Object.entries(answers).map(([name, { status }]) => `${name} ${status}`)).toEqual([
      'refresh 200',
      'redeem 200',
      'userinfo 200',
      'introspection 200',
      'jwtIntrospection 200',
      'credentials 200',
      'pushed 201',
      'started 200',
    ]);
    expect(answers.jwtIntrospection!.body).toMatchObject({ active: true });
  });

  it('shows people a page that says so, in the middle of a sign-in too, which then goes on', async () => {
    const person = createPerson();
    const asked = await person.open(all.web.authorizeUrl());
    wire.cut();
    for (const page of [await person.submit(asked, { identifier: 'ada@example.com' }), await person.open(asked.url)]) {
      expect(page.status).toBe(503);
      expect(Number(page.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(page.title).toBeTruthy();
      expect(page.text).not.toMatch(/ECONN|at .*\.ts|postgres/i);
    }
    const begun = await createPerson().open(all.web.authorizeUrl());
    const told = begun.url.searchParams.get('error') ?? String(begun.status);
    expect(['503', 'temporarily_unavailable']).toContain(told);
    wire.mend();
    await expect.poll(() => status(cardea, '/health/ready'), { timeout: 10_000 }).toBe(200);
    const password = await person.submit(asked, { identifier: 'ada@example.com' });
    expect(password.url.pathname).toMatch(/\/password$/);
  });

  it('hears again of changes made elsewhere once it is back', async () => {
    const direct = new Client({ connectionString: database.url });
    await direct.connect();
    const redirect = 'http://localhost:9/later';
    const before = cardea.logs().length;
    const closed = async () => (await createPerson().open(all.web.authorizeUrl({ redirect_uri: redirect }))).status;
    expect(await closed()).toBe(400);
    wire.cut();
    await direct.query(
      `update client set metadata = jsonb_set(metadata, '{redirect_uris,1}', $1) where client_id = 'web'`,
      [JSON.stringify(redirect)],
    );
    // Not at the first try to come back, either.
    await expect.poll(() => cardea.logs().slice(before), { timeout: 10_000 }).toContain('the bus is out of reach');
    wire.mend();
    await expect.poll(closed, { timeout: 10_000 }).toBe(200);
    await direct.end();
  });

  it('that hangs without a word is 503 as well, in time', async () => {
    const held = await all.hold();
    wire.silence();
    const started = performance.now();
    expectUnavailable({ refresh: await all.web.refresh(held.tokens.refresh_token) });
    expect(performance.now() - started).toBeLessThan(20_000);
    wire.mend();
    await expect
      .poll(async () => (await all.web.refresh(held.tokens.refresh_token)).status, { timeout: 15_000 })
      .toBe(200);
  }, 60_000);
});

describe.skipIf(!inject('redisUrl'))('Redis', () => {
  let cardea: Cardea;
  let wire: Wire;
  let redis: Redis;
  let all: ReturnType<typeof everything>;
  let web: TokenClient;
  beforeAll(async () => {
    const { hostname, port } = new URL(inject('redisUrl'));
    wire = await startWire({ host: hostname, port: Number(port) });
    // A database of its own on the run's server, as it is emptied here.
    redis = new Redis({ host: hostname, port: Number(port), db: 9 });
    cardea = await startCardea({ settings, bootstrap, env: { REDIS_URL: `redis://127.0.0.1:${wire.port}/9` } });
    all = everything(cardea.issuer);
    web = all.web;
  });
  afterEach(() => wire.mend());
  afterAll(async () => {
    await cardea?.stop();
    wire?.stop();
    redis?.disconnect();
  });

  it('out of reach is 503 and Retry-After, never invalid_grant, and afterwards all goes on', async () => {
    const held = await all.hold();
    expect(await redis.dbsize()).toBeGreaterThan(0);
    wire.cut();
    // A JWT is judged by what PostgreSQL holds.
    const answers = await all.use(held);
    expectUnavailable(answers, ['jwtIntrospection']);
    expect(answers.jwtIntrospection).toMatchObject({ status: 200, body: { active: true } });
    wire.mend();
    await expect.poll(async () => (await web.refresh(held.tokens.refresh_token)).status, { timeout: 15_000 }).toBe(200);
    expect(await web.redeem(held.code)).toMatchObject({ status: 200 });
    expect(await web.userinfo(held.tokens.access_token)).toMatchObject({ status: 200 });
  }, 60_000);

  it('out of reach is 503 also of what is answered in front of the engine, never 500; a JWT needs no Redis', async () => {
    const { access_token } = await web.signIn();
    const service = tokenClient(cardea.issuer, clients.service);
    const ask = async () => {
      const jwt = await service.credentials({ resource: ORDERS, scope: 'orders:read' });
      const [userinfo, introspection, opaque] = await Promise.all([
        web.userinfo(access_token),
        web.post('/introspect', { token: access_token }),
        service.credentials({ resource: STOCK, scope: 'stock:read' }),
      ]);
      return { jwt, userinfo, introspection, opaque };
    };
    const isShort = ({ headers }: Answer) => !headers.has('content-security-policy');
    await expect.poll(async () => Object.values(await ask()).every(isShort), { timeout: 10_000 }).toBe(true);
    wire.cut();
    for (let turn = 0; turn < 2; turn++) {
      const answers = await ask();
      expectUnavailable(answers, ['jwt']);
      expect(answers.jwt).toMatchObject({ status: 200, body: { access_token: expect.any(String) } });
    }
    wire.mend();
    await expect
      .poll(async () => Object.values(await ask()).every((one) => one.status === 200 && isShort(one)), {
        timeout: 15_000,
      })
      .toBe(true);
  }, 60_000);

  it('is connected to again when the connection was lost without a word, long before the network says so', async () => {
    const { access_token } = await web.signIn();
    wire.lose();
    await expect.poll(async () => (await web.userinfo(access_token)).status, { timeout: 20_000 }).toBe(200);
  }, 60_000);

  it('emptied loses no grant and no refresh token: it costs a new sign-in and no consent', async () => {
    const other = tokenClient(cardea.issuer, clients.other);
    const person = createPerson();
    const tokens = await other.signIn({ person, parameters: { scope: 'openid email offline_access' } });
    await redis.flushdb();

    const refreshed = await other.refresh(tokens.refresh_token);
    expect(refreshed).toMatchObject({ status: 200, body: { id_token: expect.any(String) } });
    expect(await other.userinfo(String(refreshed.body.access_token))).toMatchObject({ status: 200 });
    expect(await other.userinfo(tokens.access_token)).toMatchObject({ status: 401 });
    const silent = await authorize(other.authorizeUrl({ prompt: 'none', scope: 'openid email' }), { person });
    expect(silent.searchParams.get('error')).toBe('login_required');

    const form = await person.open(other.authorizeUrl({ scope: 'openid email' }));
    const password = await person.submit(form, { identifier: 'ada@example.com' });
    const done = await person.submit(password, { password: 'seven quiet otters read maps' });
    expect(done.url.searchParams.get('code')).toBeTruthy();
  });
});
