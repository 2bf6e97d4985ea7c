import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startApp } from '../support/app.ts';
import { ADA, bootstrap, clients, createPerson, GRACE, ORDERS, STOCK } from '../support/seeds.ts';
import { dpopKey, type TokenClient, tokenClient } from '../support/token-client.ts';

// What is answered in front of the engine is what the engine would have answered.

const by = { actor: { kind: 'system' } as const };
const stranger = { ...clients.other, client_id: 'third-party' };
const scopes = [
  'openid',
  'openid profile',
  'openid email',
  'openid profile email phone address offline_access',
  'openid work',
  'openid groups',
];
const claims = JSON.stringify({ userinfo: { nickname: null, email: { essential: true } } });

describe.each(['PostgreSQL', 'Redis'] as const)('in front of the engine, over %s', (kind) => {
  const test = it.skipIf(kind === 'Redis' && !inject('redisUrl'));
  let house: Awaited<ReturnType<typeof startApp>>;
  let web: TokenClient;
  let orders: TokenClient;
  let service: TokenClient;
  beforeAll(async () => {
    if (kind === 'Redis' && !inject('redisUrl')) return;
    house = await startApp({
      bootstrap: { ...bootstrap, clients: [...bootstrap.clients, stranger] },
      redis: kind === 'Redis',
    });
    web = tokenClient(house.issuer, clients.web);
    orders = tokenClient(house.issuer, clients.orders);
    service = tokenClient(house.issuer, clients.service);
  });
  afterAll(() => house?.stop());

  const isShort = ({ headers }: { headers: Headers }) => !headers.has('content-security-policy');
  const idOf = async (email: string) => (await house.app.ports.users.byEmail(email))!.id;

  describe('userinfo', () => {
    const ask = async (token: string, query = '') => {
      const headers = { authorization: `Bearer ${token}` };
      const response = await fetch(`${house.issuer}/userinfo${query}`, { headers });
      const { status } = response;
      return { status, short: isShort(response), body: status === 200 ? await response.text() : '' };
    };
    /** A query sends it to the engine. */
    const askEngine = (token: string) => ask(token, '?');

    test('says of everybody to everybody what the engine says', async () => {
      const { fields, users } = house.app.ports;
      await fields.put(
        {
          ...{ name: 'desk', label: { en: 'Desk' }, type: 'string', read: ['user'], write: ['administrator'] },
          claim: { name: 'desk', scope: 'work' },
        } as never,
        by,
      );
      await users.update(await idOf(ADA.email), by, (ada) => {
        ada.profile = {
          ...{ nickname: 'Ada', birthdate: '1815-12-10', phone_number: '+442079460000', phone_number_verified: true },
          address: { locality: 'London', country: 'GB' },
        };
        ada.locale = 'en-GB';
        ada.attributes = { desk: 'B 12' };
        ada.settings = { privacy: { withhold: ['birthdate', 'phone_number'] } };
      });
      let short = 0;
      let whole = 0;
      for (const client of [clients.web, stranger, clients.pairwise, clients.spa]) {
        const application = tokenClient(house.issuer, client);
        for (const email of [ADA.email, GRACE.email]) {
          const person = createPerson();
          for (const parameters of [...scopes.map((scope) => ({ scope })), { scope: scopes[1]!, claims }]) {
            const { access_token } = await application.signIn({ person, email, parameters });
            const [ours, engine] = [await ask(access_token), await askEngine(access_token)];
            expect(engine).toMatchObject({ status: 200, short: false });
            expect([client.client_id, parameters, JSON.parse(ours.body)]).toEqual([
              client.client_id,
              parameters,
              JSON.parse(engine.body),
            ]);
            short += Number(ours.short);
            whole += 1;
          }
        }
      }
      // All but those that asked for groups, or for claims by name.
      expect([short, whole]).toEqual([40, 56]);
    });

    test('says what is true now, however often it was asked before', async () => {
      const { access_token } = await web.signIn({ email: GRACE.email, parameters: { scope: 'openid profile' } });
      const { users } = house.app.ports;
      for (let turn = 0; turn < 5; turn++) {
        await users.update(await idOf(GRACE.email), by, (grace) => {
          grace.name = `Grace ${turn}`;
        });
        const { short, body } = await ask(access_token);
        expect([short, JSON.parse(body).name]).toEqual([true, `Grace ${turn}`]);
      }
    });

    test('leaves to the engine what is dead, foreign, bound to a key or not for it', async () => {
      const bound = tokenClient(house.issuer, clients.bound);
      const key = await dpopKey();
      const proof = { dpop: await key.proof('POST', `${house.issuer}/token`) };
      const ofKey = String((await bound.redeem(await bound.code(), {}, proof)).body.access_token);
      const revoked = await web.signIn();
      await web.revoke(revoked.access_token);
      const forStock = await web.signIn({
        parameters: { resource: STOCK, scope: 'openid stock:read' },
        tokenParameters: { resource: STOCK },
      });
      const own = await service.credentials({ resource: STOCK, scope: 'stock:read' });
      const tokens = [ofKey, revoked.access_token, revoked.refresh_token, forStock.access_token, own.body.access_token];
      for (const token of [...tokens, 'x', 'x'.repeat(43)]) {
        const { status, short } = await ask(String(token));
        expect([short, [401, 403].includes(status)]).toEqual([false, true]);
      }
      const signed = await tokenClient(house.issuer, clients.signed).signIn();
      expect(await ask(signed.access_token)).toMatchObject({ status: 200, short: false });
    });

    test('a person who is stopped is told of no more, at once', async () => {
      const { access_token } = await web.signIn({ email: GRACE.email });
      expect(await ask(access_token)).toMatchObject({ status: 200, short: true });
      const { users } = house.app.ports;
      await users.change(await idOf(GRACE.email), 'suspend', by);
      expect(await ask(access_token)).toMatchObject({ status: 401 });
      await users.change(await idOf(GRACE.email), 'reactivate', by);
      expect(await ask(access_token)).toMatchObject({ status: 401 });
    });
  });

  describe('client credentials', () => {
    const forOrders = { resource: ORDERS, scope: 'orders:read' };
    const forStock = { resource: STOCK, scope: 'stock:read' };
    /** As the engine answers it, and again without it. */
    const twice = async (fields: Record<string, string>, client = service) => {
      let engine = await client.credentials(fields);
      for (let turn = 0; isShort(engine) && turn < 3; turn++) engine = await client.credentials({ ...fields });
      return [engine, await client.credentials(fields)] as const;
    };
    const tokenOf = ({ body }: { body: Record<string, unknown> }) => String(body.access_token);

    test('a JWT that is given again differs in its id and its times, and is as good', async () => {
      const [engine, again] = await twice(forOrders);
      expect([isShort(engine), isShort(again)]).toEqual([false, true]);
      const rest = ({ body: { access_token: _, ...rest } }: typeof engine) => rest;
      expect(rest(again)).toEqual(rest(engine));
      expect(decodeProtectedHeader(tokenOf(again))).toEqual(decodeProtectedHeader(tokenOf(engine)));
      const { jti, iat, exp, ...said } = decodeJwt(tokenOf(again));
      expect(decodeJwt(tokenOf(engine))).toMatchObject(said);
      expect(exp! - iat!).toBe(again.body.expires_in);
      expect(jti).not.toBe(decodeJwt(tokenOf(engine)).jti);
      expect(await orders.introspect(tokenOf(again))).toMatchObject({ active: true, ...said });
      await service.revoke(tokenOf(again));
      expect(await orders.introspect(tokenOf(again))).toEqual({ active: false });
      expect(await orders.introspect(tokenOf(engine))).toMatchObject({ active: true });
    });

    test('so does an opaque one, and each is a token of its own', async () => {
      const [engine, ...others] = [...(await twice(forStock)), await service.credentials(forStock)];
      expect(others.map(isShort)).toEqual([true, true]);
      expect(new Set([engine, ...others].map(tokenOf)).size).toBe(3);
      const { iat: _iat, exp: _exp, ...said } = await orders.introspect(tokenOf(engine));
      for (const other of others) expect(await orders.introspect(tokenOf(other))).toMatchObject(said);
      await service.revoke(tokenOf(others[0]!));
      expect(await orders.introspect(tokenOf(others[0]!))).toEqual({ active: false });
      expect(await orders.introspect(tokenOf(others[1]!))).toMatchObject({ active: true });
    });

    test('another request is decided anew: its scopes, its secret, its key', async () => {
      await twice(forOrders);
      const wider = await service.credentials({ ...forOrders, scope: 'orders:read orders:write' });
      expect([isShort(wider), wider.body.scope]).toEqual([false, 'orders:read orders:write']);
      const wrong = tokenClient(house.issuer, { ...clients.service, client_secret: 'not it at all' });
      expect(await wrong.credentials(forOrders)).toMatchObject({ status: 401 });
      const key = await dpopKey();
      const proof = { dpop: await key.proof('POST', `${house.issuer}/token`) };
      const bound = await service.token({ grant_type: 'client_credentials', ...forOrders }, proof);
      expect(decodeJwt(tokenOf(bound))).toHaveProperty('cnf.jkt');
      // And what it decides for one who proved a key is not for those who do not.
      expect(decodeJwt(tokenOf((await twice(forOrders))[1]))).not.toHaveProperty('cnf');
    });

    test('nothing that was decided outlives what it was decided from', async () => {
      const { clients: applications, resources, keys } = house.app.ports;
      const server = (await resources.find(ORDERS))!;
      await twice(forOrders);
      await resources.put({ ...server, tokenTtl: 77 });
      expect((await service.credentials(forOrders)).body.expires_in).toBe(77);
      await twice(forOrders);
      await keys.rotate({ alg: 'ES256', immediately: true });
      const fresh = await service.credentials(forOrders);
      expect(decodeProtectedHeader(tokenOf(fresh)).kid).toBe(keys.current().signing.ES256!.kid);
      expect(await orders.introspect(tokenOf(fresh))).toMatchObject({ active: true });

      expect(isShort((await twice(forOrders))[1])).toBe(true);
      const { metadata } = (await applications.find('service'))!;
      await applications.replace({ ...metadata, scope: 'stock:read' }, by);
      expect((await service.credentials(forOrders)).status).toBe(400);
      await twice(forStock);
      await applications.remove('service', by);
      expect((await service.credentials(forStock)).status).toBe(401);
    });
  });
});
