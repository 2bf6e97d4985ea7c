import { generateKeyPairSync } from 'node:crypto';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { compactDecrypt, createRemoteJWKSet, decodeJwt, exportJWK, importJWK, jwtVerify, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { answerTokenEndpoints } from '../../src/oidc/engine-internals.ts';
import { startApp } from '../support/app.ts';
import { bootstrap, clients, createPerson, GRACE, ORDERS, STOCK } from '../support/seeds.ts';
import { dpopKey, type TokenClient, tokenClient } from '../support/token-client.ts';

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const asserting = {
  client_id: 'asserting-api',
  token_endpoint_auth_method: 'private_key_jwt',
  jwks: { keys: [{ ...pair.publicKey.export({ format: 'jwk' }), kid: 'a', alg: 'ES256', use: 'sig' }] },
  grant_types: [],
  response_types: [],
  redirect_uris: [],
};
const posting = { ...clients.orders, client_id: 'posting-api', token_endpoint_auth_method: 'client_secret_post' };
const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
/** Wants its answers signed, and then encrypted to a key of its own. */
const sealedAnswers = {
  ...clients.orders,
  client_id: 'sealed-api',
  introspection_signed_response_alg: 'ES256',
  introspection_encrypted_response_alg: 'ECDH-ES',
  introspection_encrypted_response_enc: 'A256GCM',
  jwks: { keys: [{ ...own.publicKey.export({ format: 'jwk' }), kid: 'e', alg: 'ECDH-ES', use: 'enc' }] },
};
const signedAnswers = { ...clients.orders, client_id: 'signed-api', introspection_signed_response_alg: 'ES256' };
const seeds = {
  ...bootstrap,
  clients: [...bootstrap.clients, asserting, posting, signedAnswers, sealedAnswers],
  resource_servers: bootstrap.resource_servers.map((server) => ({
    ...server,
    introspection_clients: ['orders-api', 'asserting-api', 'posting-api', 'signed-api', 'sealed-api'],
  })),
};
const forStock = {
  parameters: { resource: STOCK, scope: 'openid stock:read' },
  tokenParameters: { resource: STOCK },
};
const forOrders = {
  parameters: { resource: ORDERS, scope: 'openid orders:read' },
  tokenParameters: { resource: ORDERS },
};

describe.each(['PostgreSQL', 'Redis'] as const)('introspection over %s', (kind) => {
  const test = it.skipIf(kind === 'Redis' && !inject('redisUrl'));
  let house: Awaited<ReturnType<typeof startApp>>;
  let web: TokenClient;
  let orders: TokenClient;
  let service: TokenClient;
  beforeAll(async () => {
    if (kind === 'Redis' && !inject('redisUrl')) return;
    house = await startApp({ bootstrap: seeds, redis: kind === 'Redis' });
    web = tokenClient(house.issuer, clients.web);
    orders = tokenClient(house.issuer, clients.orders);
    service = tokenClient(house.issuer, clients.service);
  });
  afterAll(() => house?.stop());

  const send = (headers: Record<string, string>, body: Record<string, string> | string) =>
    fetch(`${house.issuer}/introspect`, { method: 'POST', headers, body: new URLSearchParams(body) });
  const basic = (client: { client_id: string; client_secret: string }) => ({
    authorization: `Basic ${btoa(`${encodeURIComponent(client.client_id)}:${encodeURIComponent(client.client_secret)}`)}`,
  });
  /** Answered in front of the engine: without the headers of the pages. */
  const isShort = (response: Response) => !response.headers.has('content-security-policy');

  test('the answers for opaque tokens are the engine’s, for every kind of token and caller', async () => {
    const key = await dpopKey();
    const bound = tokenClient(house.issuer, clients.bound);
    const pairwise = tokenClient(house.issuer, clients.pairwise);
    const person = createPerson();
    const proof = async () => ({ dpop: await key.proof('POST', `${house.issuer}/token`) });
    const boundTokens = (await bound.redeem(await bound.code(), {}, await proof())).body as Record<string, string>;
    const signedOut = await web.signIn({ person, ...forStock });
    const out = await person.open(`${house.issuer}/logout`);
    await person.submit(out, {}, { button: 'yes' });
    const revoked = await web.signIn(forStock);
    await web.revoke(revoked.access_token);
    const withdrawn = await web.signIn(forStock);
    await web.revoke(withdrawn.refresh_token);
    const grants = await Promise.all([
      web.signIn(),
      web.signIn(forStock),
      web.signIn({ parameters: { scope: 'openid offline_access email' } }),
      web.signIn({ email: GRACE.email, parameters: { acr_values: 'urn:cardea:acr:password' } }),
      pairwise.signIn(forStock),
      bound.redeem(await bound.code(), {}, await proof()).then(({ body }) => body as Record<string, string>),
    ]);
    const credentials = await service.credentials({ resource: STOCK, scope: 'stock:read' });
    const tokens = [boundTokens, signedOut, revoked, withdrawn, ...grants, credentials.body as Record<string, string>]
      .flatMap((each) => [each.access_token, (each as Record<string, string>).refresh_token])
      .filter((token) => token !== undefined);
    tokens.push('x', 'x'.repeat(43), ' ', '\u{1F98A}', `${tokens[0]}x`, tokens[1]!.slice(0, -1), '\0', "'--", '%00');

    const callers = [clients.web, clients.orders, clients.stranger, clients.pairwise, clients.bound, clients.service];
    const hints: Record<string, string>[] = [{}, { token_type_hint: 'refresh_token' }, { token_type_hint: 'nonsense' }];
    const asked = callers.flatMap((caller) => tokens.map((token) => ({ caller, token })));
    const ours: unknown[][] = [];
    for (const { caller, token } of asked) {
      const told: unknown[] = [];
      for (const hint of hints) {
        let response = await send(basic(caller), { token, ...hint });
        // The first time, and again after half a minute, a caller is let in by the engine.
        if (!isShort(response)) response = await send(basic(caller), { token, ...hint });
        expect(isShort(response)).toBe(true);
        told.push(await response.json());
      }
      ours.push(told);
    }
    answerTokenEndpoints(house.app.ports.oidc.provider(), {
      introspect: (_ctx, engine) => engine(),
      revoke: (_ctx, engine) => engine(),
    });
    let active = 0;
    try {
      for (const [index, { caller, token }] of asked.entries()) {
        const engine = await send({ ...basic(caller), 'content-encoding': 'identity' }, { token });
        expect(isShort(engine)).toBe(false);
        const expected = await engine.json();
        expect(ours[index]).toEqual([expected, expected, expected]);
        active += Number(expected.active);
      }
    } finally {
      // Other keys, another engine: with our answers again.
      await house.app.ports.keys.rotate({ alg: 'ES256', immediately: true });
    }
    // Neither all dead nor all alive.
    expect(active).toBeGreaterThan(12);
    expect(active).toBeLessThan((callers.length * tokens.length) / 2);
  });

  test('a key that was ended takes its tokens along, wherever their signature was found right before', async () => {
    const { body } = await service.credentials({ resource: ORDERS, scope: 'orders:read' });
    const token = String(body.access_token);
    expect((await orders.introspect(token)).active).toBe(true);
    expect((await orders.introspect(token)).active).toBe(true);
    await house.app.ports.keys.rotate({ alg: 'ES256', immediately: true });
    expect(await orders.introspect(token)).toEqual({ active: false });
  });

  test('tells of opaque tokens and JWTs alike who, for whom, how proved and until when', async () => {
    for (const [resource, request] of [
      [STOCK, forStock],
      [ORDERS, forOrders],
    ] as const) {
      const { access_token, id_token } = await web.signIn(request);
      const answer = await orders.introspect(access_token);
      const { sub, auth_time } = decodeJwt(id_token);
      expect(answer).toMatchObject({
        active: true,
        sub,
        auth_time,
        acr: 'urn:cardea:acr:password',
        amr: ['pwd'],
        client_id: 'web',
        aud: resource,
        iss: house.issuer,
        token_type: 'Bearer',
        exp: expect.any(Number),
        iat: expect.any(Number),
      });
      expect(answer).not.toHaveProperty('gid');
      expect(answer).not.toHaveProperty('suid');
    }
  });

  test('callers prove themselves by any method, and the answer can be a JWT (RFC 9701)', async () => {
    const { access_token: token } = await web.signIn(forStock);
    const assertion = await new SignJWT({ jti: crypto.randomUUID() })
      .setProtectedHeader({ alg: 'ES256', kid: 'a' })
      .setIssuer('asserting-api')
      .setSubject('asserting-api')
      .setAudience(house.issuer)
      .setExpirationTime('1m')
      .sign(pair.privateKey);
    const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
    const asserted = { token, client_assertion: assertion, client_assertion_type: type };
    expect(await (await send({}, asserted)).json()).toMatchObject({ active: true, client_id: 'web' });
    // An assertion counts once, however well it is remembered who made it.
    expect((await send({}, asserted)).status).toBe(401);

    const posted = { token, client_id: posting.client_id, client_secret: posting.client_secret };
    expect(isShort(await send({}, posted))).toBe(false);
    const again = await send({}, posted);
    expect(isShort(again)).toBe(true);
    expect(await again.json()).toMatchObject({ active: true });

    const accept = 'application/token-introspection+jwt';
    await send(basic(signedAnswers), { token });
    const jwt = await send({ ...basic(signedAnswers), accept }, { token });
    expect(jwt.headers.get('content-type')).toMatch(accept);
    const told = decodeJwt(await jwt.text());
    expect(told).toMatchObject({ aud: 'signed-api', iss: house.issuer, token_introspection: { active: true } });
  });

  test('an answer as a JWT is signed by us, for the caller alone, and encrypted where its metadata ask so', async () => {
    const jwks = createRemoteJWKSet(new URL(`${house.issuer}/jwks`));
    const accept = 'application/token-introspection+jwt';
    const tokens = [(await web.signIn(forStock)).access_token, (await web.signIn(forOrders)).access_token];
    const answerTo = async (caller: typeof signedAnswers, token: string) => {
      const response = await send({ ...basic(caller), accept }, { token });
      expect(response.status).toBe(200);
      return response.text();
    };
    const read = async (jws: string, audience: string) => {
      const { payload, protectedHeader } = await jwtVerify(jws, jwks, { issuer: house.issuer, audience });
      expect(protectedHeader).toMatchObject({ typ: 'token-introspection+jwt', alg: 'ES256' });
      // Section 5: what is said of the token stands in its own claim, so that the answer is no token itself.
      expect(payload).not.toHaveProperty('sub');
      expect(payload).not.toHaveProperty('exp');
      return payload.token_introspection;
    };
    for (const token of [...tokens, 'x']) {
      const plain = await (await send(basic(clients.orders), { token })).json();
      expect(await read(await answerTo(signedAnswers, token), 'signed-api')).toEqual(plain);
      const sealed = await answerTo(sealedAnswers, token);
      expect(sealed.split('.')).toHaveLength(5);
      const { plaintext, protectedHeader } = await compactDecrypt(sealed, own.privateKey);
      expect(protectedHeader).toMatchObject({ alg: 'ECDH-ES', enc: 'A256GCM' });
      expect(await read(new TextDecoder().decode(plaintext), 'sealed-api')).toEqual(plain);
    }
    // Whoever asked for secrecy is not told in the clear, however often it asked before.
    for (let turn = 0; turn < 3; turn++)
      expect((await send(basic(sealedAnswers), { token: tokens[0]! })).status).toBe(400);
  });

  test('a secret that was right before is not right for another name, nor a wrong one for a known name', async () => {
    const { access_token: token } = await web.signIn(forStock);
    for (let turn = 0; turn < 3; turn++) expect((await send(basic(clients.orders), { token })).status).toBe(200);
    const wrong = [
      [basic({ ...clients.orders, client_secret: clients.web.client_secret }), { token }],
      [basic({ ...clients.orders, client_secret: `${clients.orders.client_secret}x` }), { token }],
      [basic({ ...clients.orders, client_id: 'ghost' }), { token }],
      [{}, { token, client_id: 'orders-api' }],
      [{}, { token, client_id: 'orders-api', client_secret: 'wrong' }],
      [{ authorization: `Bearer ${token}` }, { token }],
    ] as const;
    for (const [headers, body] of wrong) {
      const response = await send({ ...headers }, body);
      expect([400, 401]).toContain(response.status);
      expect(await response.json()).toMatchObject({ error: expect.stringMatching(/^invalid_/) });
      if (response.status === 401 && 'authorization' in headers)
        expect(response.headers.get('www-authenticate')).toMatch(/^Basic realm=/);
    }
    const mixed: Record<string, string>[] = [
      { token, client_id: 'web' },
      { token, client_secret: clients.orders.client_secret },
    ];
    for (const body of mixed) expect((await send(basic(clients.orders), body)).status).toBe(400);
  });

  test('what is out of the ordinary is refused or understood as ever, known caller or not', async () => {
    const { access_token: token } = await web.signIn(forStock);
    await orders.introspect(token);
    const known = basic(clients.orders);
    const raw = (body: string, headers: Record<string, string> = {}) =>
      fetch(`${house.issuer}/introspect`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...known, ...headers },
        body,
      });
    const statusOf = async (response: Promise<Response>) => (await response).status;
    expect(await statusOf(raw('token=a&token=b'))).toBe(400);
    expect(await statusOf(raw(''))).toBe(400);
    expect(await statusOf(raw('token='))).toBe(400);
    expect(await statusOf(raw('%'))).toBe(400);
    expect(await statusOf(raw(`token=%E0%A4%A&x=${'y'.repeat(100)}`))).toBe(200);
    expect(await statusOf(raw(`{"token":"${token}"}`, { 'content-type': 'application/json' }))).toBe(400);
    expect(await statusOf(raw(`token=${'x'.repeat(20_000)}`))).toBe(200);
    expect(await statusOf(raw(`token=${'x'.repeat(200_000)}`))).toBe(400);
    expect(await statusOf(raw(`token=${'x'.repeat(10_000)}`))).toBe(200);
    expect(await statusOf(raw(`token=${token}`, { origin: 'https://evil.example' }))).toBe(400);
    expect(await (await raw(`token=${encodeURIComponent(token)}&unknown=1`)).json()).toMatchObject({ active: true });
    expect(await statusOf(fetch(`${house.issuer}/introspect`, { headers: known }))).toBe(404);
    // Another host than the issuer's, whoever says so.
    const port = Number(new URL(house.issuer).port);
    for (const more of ['host: evil.example', `host: localhost:${port}\r\nx-forwarded-host: evil.example`]) {
      const socket = connect(port, 'localhost');
      socket.write(
        `POST /introspect HTTP/1.1\r\n${more}\r\nauthorization: ${known.authorization}\r\nconnection: close\r\n` +
          `content-type: application/x-www-form-urlencoded\r\ncontent-length: 7\r\n\r\ntoken=x`,
      );
      const answer = await text(socket);
      // An untrusted sender's word about the host is not heard.
      expect(answer).toMatch(more.startsWith('host: evil') ? /^HTTP\/1.1 400/ : /^HTTP\/1.1 200/);
    }
    // Gone in the middle of its body: nothing of it is left hanging.
    const half = connect(port, 'localhost');
    half.write(
      `POST /introspect HTTP/1.1\r\nhost: localhost:${port}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 50\r\n\r\ntok`,
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
    half.destroy();
    expect((await orders.introspect(token)).active).toBe(true);
  });

  test('a JWT that nobody but its header vouches for is dead', async () => {
    const { access_token } = await web.signIn(forOrders);
    const claims = decodeJwt(access_token);
    const jwk = await exportJWK(pair.privateKey);
    const forged = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', jwk, kid: 'a' })
      .sign(await importJWK({ ...jwk, alg: 'ES256' }));
    for (const token of [
      forged,
      `${access_token}x`,
      `x${access_token}`,
      access_token.slice(0, -4),
      '..',
      'a.b.c.d.e',
    ]) {
      expect(await orders.introspect(token)).toEqual({ active: false });
    }
    expect((await orders.introspect(access_token)).active).toBe(true);
  });
});
