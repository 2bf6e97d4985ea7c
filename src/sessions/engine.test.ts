import { createHash, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import Koa from 'koa';
import { type Adapter, type AdapterPayload, Provider } from 'oidc-provider';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { freshDatabase } from '../../test/support/database.ts';
import { createDb, type Db } from '../platform/db/index.ts';
import { createVault, newId, Refusal, randomToken, silentLog, systemClock } from '../platform/index.ts';
import { createSessions, type Sessions } from './index.ts';

// The store under the real engine: what it does with several requests at once, and with a store that is gone.

const clientIds = Array.from({ length: 16 }, (_, index) => `app-${index}`);
const redirectUri = 'https://app.example/callback';
const verifier = randomToken();
const challenge = createHash('sha256').update(verifier).digest('base64url');
const times = <T>(count: number, work: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => work(i));

class Browser {
  readonly cookies = new Map<string, string>();
  readonly origin: string;
  constructor(origin: string) {
    this.origin = origin;
  }
  async go(path: string, init: RequestInit = {}): Promise<Response> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(new URL(path, this.origin), {
      redirect: 'manual',
      ...init,
      headers: { cookie, ...init.headers },
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
      if (value) this.cookies.set(name!, value);
      else this.cookies.delete(name!);
    }
    return response;
  }
  /** Follows redirects until they leave for the application. */
  async follow(path: string): Promise<URL> {
    let at = new URL(path, this.origin);
    for (let hop = 0; hop < 10; hop++) {
      const response = await this.go(at.href);
      const location = response.headers.get('location');
      if (!location) throw new Error(`${response.status} at ${at.pathname}: ${await response.text()}`);
      at = new URL(location, at);
      if (at.origin !== this.origin) return at;
    }
    throw new Error('too many redirects');
  }
}

describe('the artifact store under the engine', () => {
  let db: Db;
  let drop: () => Promise<void>;
  let server: Server;
  let origin: string;
  let sessions: Sessions;
  let accountId: string;
  let down: boolean;
  let stopped: boolean;

  beforeAll(async () => {
    const database = await freshDatabase();
    drop = database.drop;
    const migrations = join(import.meta.dirname, '../../migrations');
    db = await createDb({ url: database.url, entities: [], migrations, log: silentLog });
  });
  afterAll(async () => {
    await db.close();
    await drop();
  });

  beforeEach(async () => {
    accountId = newId();
    down = false;
    stopped = false;
    // The same database, and a switch that makes it unreachable.
    const unreliable: Db = {
      ...db,
      query: async (sql: string, params?: readonly unknown[], name?: string) => {
        if (down) throw new Refusal('store.unavailable', { kind: 'unavailable' });
        return db.query(sql, params, name) as never;
      },
    };
    sessions = createSessions({
      db: unreliable,
      clock: systemClock,
      vault: createVault('a secret for tests'),
      mayHold: async () => !stopped,
      refreshReplaySeconds: 10,
    });
    server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', createApp(origin).callback());
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const clients: Adapter = {
    find: async (id: string) =>
      ({
        client_id: id,
        client_secret: 'secret',
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      }) as AdapterPayload,
  } as Adapter;

  const createApp = (issuer: string) => {
    const provider = new Provider(issuer, {
      adapter: (model: string) => (model === 'Client' ? clients : sessions.adapter(model)),
      cookies: { keys: ['cookie secret'] },
      findAccount: async (_ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
      interactions: { url: (_ctx, { uid }) => `/login/${uid}` },
      issueRefreshToken: async () => true,
      expiresWithSession: async () => true,
      rotateRefreshToken: true,
      async loadExistingGrant(ctx) {
        const { client, session, account } = ctx.oidc;
        const known = session!.grantIdFor(client!.clientId);
        if (known) return ctx.oidc.provider.Grant.find(known);
        const grant = new ctx.oidc.provider.Grant({ accountId: account!.accountId, clientId: client!.clientId });
        grant.addOIDCScope('openid');
        await grant.save();
        return grant;
      },
      ttl: {
        Grant: 86_400,
        Session: 86_400,
        RefreshToken: 86_400,
        AccessToken: 600,
        Interaction: 600,
        IdToken: 600,
        DeviceCode: 600,
      },
      features: {
        devInteractions: { enabled: false },
        deviceFlow: { enabled: true, successSource: (ctx) => showForm(ctx, 'done') },
        introspection: { enabled: true, allowedPolicy: () => true },
        pushedAuthorizationRequests: { enabled: true },
        rpInitiatedLogout: { enabled: true, logoutSource: showForm },
      },
      clientDefaults: { id_token_signed_response_alg: 'ES256' },
      jwks: { keys: [testKey] },
    });
    const app = new Koa();
    app.silent = true;
    app.use(async (ctx, next) => {
      if (!ctx.path.startsWith('/login/')) return next();
      ctx.respond = false;
      await provider.interactionFinished(ctx.req, ctx.res, { login: { accountId } });
    });
    const engine = provider.callback();
    app.use(async (ctx) => {
      ctx.respond = false;
      await engine(ctx.req, ctx.res);
    });
    return app;
  };

  const authorize = (clientId: string, more: Record<string, string> = {}) =>
    `/auth?${new URLSearchParams({
      client_id: clientId,
      response_type: 'code',
      scope: 'openid',
      redirect_uri: redirectUri,
      code_challenge: challenge,
      code_challenge_method: 'S256',
      ...more,
    })}`;
  const post = (path: string, clientId: string, fields: Record<string, string>) =>
    fetch(new URL(path, origin), {
      method: 'POST',
      body: new URLSearchParams(fields),
      headers: { authorization: `Basic ${btoa(`${clientId}:secret`)}` },
    });
  const redeem = (code: string, clientId = 'app-0') =>
    post('/token', clientId, {
      grant_type: 'authorization_code',
      code,
      code_verifier: verifier,
      redirect_uri: redirectUri,
    });
  const refresh = (token: string) => post('/token', 'app-0', { grant_type: 'refresh_token', refresh_token: token });
  const userinfo = async (token: string) =>
    (await fetch(new URL('/me', origin), { headers: { authorization: `Bearer ${token}` } })).status;
  const json = async (response: Response) => (await response.json()) as Record<string, string>;
  const signIn = async (browser = new Browser(origin), clientId = 'app-0') => {
    const back = await browser.follow(authorize(clientId));
    return { browser, code: back.searchParams.get('code')! };
  };
  const tally = async (responses: Response[]) => {
    const bodies = await Promise.all(responses.map(json));
    return {
      answered: responses.filter(({ status }) => status === 200).length,
      errors: [...new Set(bodies.flatMap(({ error }) => error ?? []))],
    };
  };

  it('trap 1: of 64 redemptions of one code at once exactly one is answered', async () => {
    const { code } = await signIn();
    const { answered, errors } = await tally(await Promise.all(times(64, () => redeem(code))));
    expect(answered).toBe(1);
    expect(errors).toEqual(['invalid_grant']);
  });

  it('a code that is replayed ends its grant, and with it every token', async () => {
    const { code } = await signIn();
    const tokens = await json(await redeem(code));
    expect(await userinfo(tokens.access_token!)).toBe(200);
    expect((await redeem(code)).status).toBe(400);
    expect(await userinfo(tokens.access_token!)).toBe(401);
    expect((await refresh(tokens.refresh_token!)).status).toBe(400);
    expect(await json(await post('/token/introspection', 'app-0', { token: tokens.access_token! }))).toEqual({
      active: false,
    });
  });

  it('trap 1: of 64 refreshes with one token at once exactly one is answered, and its chain lives', async () => {
    const { code } = await signIn();
    const { refresh_token } = await json(await redeem(code));
    const responses = await Promise.all(times(64, () => refresh(refresh_token!)));
    const winner = responses.find(({ status }) => status === 200)!.clone();
    expect(await tally(responses)).toEqual({ answered: 1, errors: ['invalid_grant'] });
    expect((await refresh((await json(winner)).refresh_token!)).status).toBe(200);
  });

  it('trap 1: of 64 polls with one device code at once exactly one is answered', async () => {
    const { browser } = await signIn();
    const device = await json(await post('/device/auth', 'app-0', { scope: 'openid' }));
    const page = await browser.go(`/device?user_code=${device.user_code}`);
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(await page.text())![1]!;
    const fields = { xsrf, user_code: device.user_code!, confirm: 'yes' };
    expect((await browser.go('/device', { method: 'POST', body: new URLSearchParams(fields) })).status).toBe(200);
    const poll = () =>
      post('/token', 'app-0', {
        grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
        device_code: device.device_code!,
      });
    expect(await tally(await Promise.all(times(64, poll)))).toEqual({ answered: 1, errors: ['invalid_grant'] });
  });

  it('trap 1: of 64 uses of one pushed request at once exactly one is answered with a code', async () => {
    const { browser } = await signIn();
    const pushed = await json(
      await post('/request', 'app-0', Object.fromEntries(new URL(authorize('app-0'), origin).searchParams)),
    );
    const path = `/auth?${new URLSearchParams({ client_id: 'app-0', request_uri: pushed.request_uri! })}`;
    const responses = await Promise.all(times(64, () => browser.go(path)));
    const withCode = responses.filter((one) => new URL(one.headers.get('location') ?? origin).searchParams.has('code'));
    expect(withCode).toHaveLength(1);
  });

  it('trap 2: of 16 parallel sign-ins on one session none is lost', async () => {
    const { browser } = await signIn();
    const codes = await Promise.all(
      clientIds.map(async (clientId) => (await browser.follow(authorize(clientId))).searchParams.get('code')!),
    );
    const answers = await Promise.all(codes.map((code, index) => redeem(code, clientIds[index])));
    expect(answers.map(({ status }) => status)).toEqual(codes.map(() => 200));
    const [session] = await sessions.listOf(accountId);
    expect(Object.keys(session!.authorizations).sort()).toEqual([...clientIds].sort());
  });

  it('trap 5: a person whose sessions were ended meets the sign-in page, not an error', async () => {
    const { browser } = await signIn();
    await sessions.endAllOf(accountId, 'user.suspended');
    const response = await browser.go(authorize('app-0'));
    expect(response.status).toBe(303);
    expect(response.headers.get('location')).toMatch(/^\/login\//);
  });

  it('trap 5: of somebody who is stopped in the middle of a sign-in the application hears in the words of a sign-in', async () => {
    const { browser } = await signIn();
    stopped = true;
    const response = await browser.go(authorize('app-1', { prompt: 'none' }));
    expect(new URL(response.headers.get('location')!).searchParams.get('error')).toBe('access_denied');
  });

  it('trap 22: a request under way with the id before the rotation stays signed in', async () => {
    const { browser } = await signIn();
    const before = new Map(browser.cookies);
    await browser.follow(authorize('app-1', { prompt: 'login' }));
    expect(browser.cookies.get('_session')).not.toBe(before.get('_session'));
    const straggler = new Browser(origin);
    for (const [name, value] of before) straggler.cookies.set(name, value);
    expect((await straggler.go(authorize('app-2'))).headers.get('location')).toContain('code=');
    expect(await sessions.listOf(accountId)).toHaveLength(1);
  });

  it('signing out is final: neither the id at hand nor one from before leads back', async () => {
    const { browser, code } = await signIn();
    const tokens = await json(await redeem(code));
    const earlier = new Map(browser.cookies);
    await browser.follow(authorize('app-1', { prompt: 'login' }));
    const ids = [earlier, new Map(browser.cookies)];
    const page = await (await browser.go('/session/end')).text();
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(page)![1]!;
    await browser.go('/session/end/confirm', { method: 'POST', body: new URLSearchParams({ xsrf, logout: 'yes' }) });
    for (const cookies of ids) {
      const again = new Browser(origin);
      for (const [name, value] of cookies) again.cookies.set(name, value);
      expect((await again.go(authorize('app-0'))).headers.get('location')).toMatch(/^\/login\//);
    }
    expect(await sessions.listOf(accountId)).toEqual([]);
    expect(await userinfo(tokens.access_token!)).toBe(401);
  });

  it('losing the fleeting half costs a new sign-in and no refresh token, though it is bound to the session', async () => {
    const { browser, code } = await signIn();
    const { refresh_token } = await json(await redeem(code));
    await db.query('truncate fleeting');
    expect((await refresh(refresh_token!)).status).toBe(200);
    expect((await browser.go(authorize('app-0'))).headers.get('location')).toMatch(/^\/login\//);
  });

  it('trap 19: a store that is down is 503 and never invalid_grant', async () => {
    const { browser, code } = await signIn();
    const { refresh_token, access_token } = await json(await redeem(code));
    down = true;
    const response = await refresh(refresh_token!);
    expect(response.status).toBe(503);
    expect(await json(response)).toMatchObject({ error: 'temporarily_unavailable' });
    expect((await redeem('any code')).status).toBe(503);
    expect(await userinfo(access_token!)).toBe(503);
    expect((await post('/token/introspection', 'app-0', { token: access_token! })).status).toBe(503);
    expect((await browser.go(authorize('app-0'))).headers.get('location') ?? '').not.toContain('login');
    down = false;
    stopped = false;
    expect((await refresh(refresh_token!)).status).toBe(200);
  });
});

function showForm(ctx: { body: unknown }, form: string): void {
  ctx.body = form;
}

// A key for these tests alone.
const testKey = {
  kty: 'EC',
  crv: 'P-256',
  use: 'sig',
  alg: 'ES256',
  kid: 'test',
  ...generateKey(),
};

function generateKey(): { x: string; y: string; d: string } {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y, d } = privateKey.export({ format: 'jwk' });
  return { x: x!, y: y!, d: d! };
}
