import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { stringify } from 'yaml';
import { told } from '../support/command.ts';
import { freshAddress, PASSWORD } from '../support/flows.ts';
import { authorize, bootstrap, CALLBACK, clients, createPerson, ORDERS, STOCK } from '../support/seeds.ts';
import { allowDevice, claimsOf, dpopKey, type TokenClient, times, tokenClient } from '../support/token-client.ts';
import { type Pair, startPair } from './pair.ts';

// Two processes behind a balancer are as one: no request may meet one that does not know what the other just did.

const apps = Array.from({ length: 16 }, (_, index) => ({ ...clients.web, client_id: `app-${index}` }));
const seeds = { ...bootstrap, clients: [...bootstrap.clients, ...apps] };

describe.each([
  { store: 'PostgreSQL alone', redis: false },
  { store: 'Redis', redis: true },
])('two processes take turns, with $store', ({ redis }) => {
  describe.skipIf(redis && !inject('redisUrl'))('', () => {
    let pair: Pair;
    let web: TokenClient;
    beforeAll(async () => {
      const limits = { signin_pair: { points: 5, window: '15m' } };
      pair = await startPair({ redis, bootstrap: seeds, settings: { limits } });
      web = tokenClient(pair.balancer.url, clients.web);
    }, 90_000);
    afterAll(async () => {
      expect(Math.min(...pair.balancer.served)).toBeGreaterThan(10);
      for (const one of [pair.first, pair.second]) expect(one.logs()).not.toMatch(/"level":(50|60)/);
      await pair?.stop();
    });

    it('sign-in, code, userinfo and refreshes', async () => {
      const person = createPerson();
      const tokens = await web.signIn({ person, parameters: { scope: 'openid email offline_access' } });
      expect(await web.userinfo(tokens.access_token)).toMatchObject({ status: 200 });
      let next = tokens.refresh_token;
      for (let round = 0; round < 4; round++) {
        const answer = await web.refresh(next);
        expect(answer).toMatchObject({ status: 200 });
        // A retry falls to the other process and is given the same.
        expect((await web.refresh(next)).body).toEqual(answer.body);
        next = String(answer.body.refresh_token);
      }
      expect(await web.signIn({ person, password: 'not asked for' })).toMatchObject({ id_token: expect.any(String) });
    });

    it('a pushed request', async () => {
      const person = createPerson();
      const { body } = await web.push();
      const back = await authorize(web.pushedUrl(body.request_uri), { person });
      expect(await web.redeem(back.searchParams.get('code')!)).toMatchObject({ status: 200 });
      const again = await person.open(web.pushedUrl(body.request_uri));
      expect(again.url.searchParams.get('error')).toBe('invalid_request_uri');
    });

    it('a device', async () => {
      const device = tokenClient(pair.balancer.url, clients.device);
      const started = await device.startDevice();
      expect(await device.poll(started.device_code)).toMatchObject({ error: 'authorization_pending' });
      await allowDevice(pair.balancer.url, createPerson(), started.user_code);
      expect(await device.poll(started.device_code)).toMatchObject({ status: 200 });
    });

    it('registration with a letter, and sign-out', async () => {
      const person = createPerson();
      const email = freshAddress();
      const form = await person.open(web.authorizeUrl({ prompt: 'create' }));
      const verify = await person.submit(form, { email, password: PASSWORD });
      const { code } = await pair.second.mailbox.next(email);
      const done = await person.submit(verify, { code });
      expect(await web.redeem(done.url.searchParams.get('code')!)).toMatchObject({ status: 200 });
      const asked = await person.open(`${pair.balancer.url}/logout`);
      await person.submit(asked, {}, { button: 'yes' });
      const again = await authorize(web.authorizeUrl({ prompt: 'none' }), { person });
      expect(again.searchParams.get('error')).toBe('login_required');
    });

    it('of 64 refreshes with one token on both exactly one chain lives', async () => {
      const { refresh_token } = await web.signIn({ parameters: { scope: 'openid offline_access' } });
      const answers = await times(64, () => web.refresh(refresh_token));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
      expect(new Set(answers.map(({ body }) => body.refresh_token)).size).toBe(1);
      expect(await web.refresh(String(answers[0]!.body.refresh_token))).toMatchObject({ status: 200 });
    });

    it('of 64 uses of one code, and of one DPoP proof, on both exactly one is answered', async () => {
      const code = await web.code();
      const answers = await times(64, () => web.redeem(code));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);

      const spa = tokenClient(pair.balancer.url, clients.spa);
      const key = await dpopKey();
      const dpop = await key.proof('POST', `${pair.balancer.url}/token`);
      const person = createPerson();
      await web.code({ person });
      const codes = await times(8, () => spa.code({ person, password: 'not asked for' }));
      const bound = await Promise.all(codes.map((one) => spa.redeem(one, {}, { dpop })));
      expect(bound.filter(({ status }) => status === 200)).toHaveLength(1);
    });

    it('16 parallel sign-ins on one session, on both: none is lost', async () => {
      const person = createPerson();
      await web.code({ person });
      const all = apps.map((app) => tokenClient(pair.balancer.url, app));
      const codes = await Promise.all(all.map((app) => app.code({ person, password: 'not asked for' })));
      const answers = await Promise.all(all.map((app, index) => app.redeem(codes[index]!)));
      expect(answers.map(({ status }) => status)).toEqual(apps.map(() => 200));
    });

    it('a wrong password counts on both, whichever is asked', async () => {
      const wrong = async () => {
        const person = createPerson();
        const page = await person.submit(await person.open(web.authorizeUrl()), { identifier: 'grace@example.com' });
        const refused = await person.submit(page, { password: 'not this one either' });
        return refused.status;
      };
      const statuses = [];
      for (let tries = 0; tries < 7; tries++) statuses.push(await wrong());
      expect(statuses.slice(0, 5)).not.toContain(429);
      expect(statuses.slice(5)).toEqual([429, 429]);
    });
  });
});

describe('what is changed elsewhere', () => {
  let pair: Pair;
  const home = mkdtempSync(join(tmpdir(), 'cardea-plan-'));
  beforeAll(async () => {
    pair = await startPair({ bootstrap: seeds });
  }, 90_000);
  afterAll(async () => {
    await pair?.stop();
    rmSync(home, { recursive: true });
  });
  const url = () => pair.balancer.url;
  const apply = (plan: object) => {
    const file = join(home, 'plan.yaml');
    writeFileSync(file, stringify(plan));
    return told(pair.first, 'apply', file);
  };
  /** The answer of each process to the same request. */
  const both = async <T>(work: () => Promise<T>): Promise<T[]> => {
    const answers = [];
    for await (const _ of pair.each()) answers.push(await work());
    return answers;
  };

  it('a client and its secrets are known to both at once: added, given another secret, removed', async () => {
    const made = await told(pair.first, 'client', 'add', 'Late', '--redirect-uri', CALLBACK, '--first-party');
    const late = tokenClient(url(), made);
    expect(await both(async () => (await late.signIn()).refresh_token.length > 10)).toEqual([true, true]);
    const held = await late.signIn({ parameters: { scope: 'openid offline_access' } });

    const { client_secret } = await told(pair.first, 'client', 'secret', made.client_id, '--others-end-in', '3600');
    const renewed = tokenClient(url(), { client_id: made.client_id, client_secret });
    const known = async (client: TokenClient) => (await client.post('/introspect', { token: 'x' })).status;
    expect(await both(() => known(renewed))).toEqual([200, 200]);
    expect(await both(() => known(late))).toEqual([200, 200]);
    const last = await told(pair.second, 'client', 'secret', made.client_id, '--others-end-in', '0');
    expect(await both(() => known(late))).toEqual([401, 401]);
    expect(await both(() => known(renewed))).toEqual([401, 401]);
    const only = tokenClient(url(), { client_id: made.client_id, client_secret: last.client_secret });
    expect(await both(() => known(only))).toEqual([200, 200]);

    await told(pair.first, 'client', 'remove', made.client_id);
    expect(await both(() => known(only))).toEqual([401, 401]);
    expect(await both(async () => (await only.refresh(held.refresh_token)).error)).toEqual([
      'invalid_client',
      'invalid_client',
    ]);
    expect(await both(async () => (await web().userinfo(held.access_token)).status)).toEqual([401, 401]);
  });

  it('what a client may do is known to both at once', async () => {
    const closed = async () =>
      (await createPerson().open(web().authorizeUrl({ redirect_uri: 'http://localhost:9/new' }))).status;
    expect(await both(closed)).toEqual([400, 400]);
    await apply({ clients: [{ ...clients.web, redirect_uris: [CALLBACK, 'http://localhost:9/new'] }] });
    expect(await both(closed)).toEqual([200, 200]);
  });

  it('a resource server and who speaks for it are known to both at once', async () => {
    const stranger = tokenClient(url(), clients.stranger);
    const { access_token } = await web().signIn({
      parameters: { resource: STOCK, scope: 'openid stock:read' },
      tokenParameters: { resource: STOCK },
    });
    const asked = async () => (await stranger.introspect(access_token)).active;
    expect(await both(asked)).toEqual([false, false]);
    const stock = bootstrap.resource_servers[1]!;
    await apply({
      clients: [{ ...clients.service, scope: 'orders:read stock:write' } as never],
      resource_servers: [{ ...stock, introspection_clients: ['stranger-api'], scopes: { 'stock:write': 'x' } }],
    });
    expect(await both(asked)).toEqual([true, true]);
    const service = tokenClient(url(), clients.service);
    const granted = async () => (await service.credentials({ resource: STOCK, scope: 'stock:write' })).body.scope;
    expect(await both(granted)).toEqual(['stock:write', 'stock:write']);
  });

  const web = () => tokenClient(url(), clients.web);

  it('keys are rotated by a command while both serve, and no verification fails on the way', async () => {
    const service = tokenClient(url(), clients.service);
    const orders = tokenClient(url(), clients.orders);
    const jwks = async () => (await (await fetch(`${url()}/jwks`)).json()) as JSONWebKeySet;
    const kids = async () => (await jwks()).keys.filter(({ alg }) => alg === 'ES256').map(({ kid }) => kid);
    const sign = async () =>
      String((await service.credentials({ resource: ORDERS, scope: 'orders:read' })).body.access_token);
    const kidOf = async () => decodeProtectedHeader(await sign()).kid;

    // A service that verifies all the while, with a key set no older than the time it may be cached.
    let cache = createLocalJWKSet(await jwks());
    let running = true;
    let verified = 0;
    const failures: unknown[] = [];
    const verifying = (async () => {
      while (running) {
        try {
          await jwtVerify(await sign(), cache, { issuer: url(), audience: ORDERS });
          verified++;
        } catch (error) {
          failures.push(error);
        }
      }
    })();

    const old = await kidOf();
    const before = await sign();
    const [rotated] = await told(pair.first, 'keys', 'rotate', '--alg', 'ES256');
    // Published on both, signing on neither.
    for (const published of await both(kids)) expect(published).toEqual(expect.arrayContaining([old, rotated.kid]));
    expect(await both(kidOf)).toEqual([old, old]);

    // The time that it is published ahead has passed, and everybody's cache has been filled anew.
    cache = createLocalJWKSet(await jwks());
    await pair.first.sql(`update signing_key set signs_from = now() - interval '1 second' where kid = $1`, [
      rotated.kid,
    ]);
    await pair.first.sql(`update signing_key set retires_from = now() - interval '1 second' where kid = $1`, [old]);
    await pair.first.sql(`select pg_notify('cardea', 'keys ')`);
    await expect.poll(() => both(kidOf), { timeout: 5_000 }).toEqual([rotated.kid, rotated.kid]);
    for (const published of await both(kids)) expect(published).toEqual(expect.arrayContaining([old, rotated.kid]));
    await jwtVerify(before, createLocalJWKSet(await jwks()), { issuer: url() });
    expect(await both(async () => (await orders.introspect(before)).active)).toEqual([true, true]);
    running = false;
    await verifying;
    expect(failures).toEqual([]);
    expect(verified).toBeGreaterThan(10);

    // A stolen key: it and all it signed are worth nothing at once.
    const stolen = await sign();
    const [fresh] = await told(pair.second, 'keys', 'rotate', '--alg', 'ES256', '--immediately');
    expect(await both(kidOf)).toEqual([fresh.kid, fresh.kid]);
    expect(await both(async () => (await orders.introspect(stolen)).active)).toEqual([false, false]);
    for (const published of await both(kids)) expect(published).not.toContain(rotated.kid);
  }, 60_000);

  it('a session ended on one is ended on the other', async () => {
    const person = createPerson();
    const { id_token } = await web().signIn({ person });
    pair.balancer.turnTo(0);
    const asked = await person.open(`${url()}/logout?id_token_hint=${id_token}`);
    if (asked.status === 200 && asked.forms.length > 0) await person.submit(asked, {}, { button: 'yes' });
    pair.balancer.turnTo(1);
    const back = await authorize(web().authorizeUrl({ prompt: 'none' }), { person });
    pair.balancer.turnTo(undefined);
    expect(back.searchParams.get('error')).toBe('login_required');
    expect(claimsOf(id_token).sub).toBeTruthy();
  });
});
