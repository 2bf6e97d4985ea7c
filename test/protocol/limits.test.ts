import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type House, startApp } from '../support/app.ts';
import { bootstrap, clients, STOCK } from '../support/seeds.ts';

// How often what may be asked, and what is said to whom asks too often. Two processes on the same stores, behind a proxy
// that tells where requests come from.

const small = (points: number, window = '1h') => ({ points, window });
const settings = {
  CARDEA_TRUSTED_PROXIES: 'loopback',
};
const limits = {
  client_failures: small(50),
  client_failures_pair: small(5),
  client_failures_everywhere: small(20),
  client_requests: small(200),
  page_requests: small(100),
};

describe.each(['PostgreSQL', 'Redis'] as const)('limits counted in %s', (kind) => {
  const withRedis = kind === 'Redis';
  const test = it.skipIf(withRedis && !inject('redisUrl'));
  let first: House;
  let second: House;
  beforeAll(async () => {
    if (withRedis && !inject('redisUrl')) return;
    const options = { redis: withRedis, env: settings, settings: { limits } };
    first = await startApp({ ...options, bootstrap });
    second = await startApp({ ...options, beside: first });
  });
  afterAll(async () => {
    await second?.stop();
    await first?.stop();
  });

  let seed = 0;
  const somewhere = () => `198.51.${++seed >> 8}.${seed & 255}`;

  const send = (
    house: House,
    path: string,
    from: string,
    options: { fields?: Record<string, string>; as?: { client_id: string; client_secret: string } } = {},
  ) =>
    new Promise<{ status: number; headers: Record<string, string>; text: string }>((resolve, reject) => {
      const { fields, as } = options;
      const asked = request(
        house.at + path,
        {
          method: fields ? 'POST' : 'GET',
          headers: {
            host: new URL(house.issuer).host,
            accept: fields ? 'application/json' : 'text/html',
            'x-forwarded-for': from,
            ...(fields && { 'content-type': 'application/x-www-form-urlencoded' }),
            ...(as && { authorization: `Basic ${btoa(`${as.client_id}:${encodeURIComponent(as.client_secret)}`)}` }),
          },
        },
        async (response) => {
          let text = '';
          for await (const chunk of response) text += chunk;
          resolve({ status: response.statusCode!, headers: response.headers as Record<string, string>, text });
        },
      );
      asked.on('error', reject);
      asked.end(fields && new URLSearchParams(fields).toString());
    });

  const credentials = { grant_type: 'client_credentials', resource: STOCK, scope: 'stock:read' };
  const guess = (house: House, from: string, as: { client_id: string } = clients.service) =>
    send(house, '/token', from, { fields: credentials, as: { ...as, client_secret: 'a guess' } });
  const rightly = (house: House, from: string) =>
    send(house, '/token', from, { fields: credentials, as: clients.service });

  test('wrong secrets from one address are refused after some, on every process, in OAuth’s words', async () => {
    const from = somewhere();
    const statuses: number[] = [];
    for (let turn = 0; turn < 8; turn++) statuses.push((await guess(turn % 2 ? first : second, from)).status);
    expect(statuses.slice(0, 5)).toEqual([401, 401, 401, 401, 401]);
    expect(statuses.slice(5)).toEqual([429, 429, 429]);
    const { headers, text } = await guess(first, from);
    expect(JSON.parse(text)).toMatchObject({ error: 'temporarily_unavailable' });
    expect(Number(headers['retry-after'])).toBeGreaterThan(60);
    expect(headers['ratelimit-policy']).toBe('"clientFailuresPair";q=5;w=3600');
    expect(headers.ratelimit).toMatch(/^"clientFailuresPair";r=0;t=\d+$/);
    // 2^64 addresses of one subscriber are one.
    for (let turn = 0; turn < 5; turn++) await guess(first, `2001:db8:${seed}:1::${turn + 1}`, clients.stranger);
    expect((await guess(first, `2001:db8:${seed}:1::99`, clients.stranger)).status).toBe(429);
  });

  test('who guesses beside a service, at its own address, is not told which guess was right while it waits', async () => {
    const from = somewhere();
    const ask = (path: string, secret: string) => {
      const as = { ...clients.service, client_secret: secret };
      return send(first, path, from, { fields: path === '/token' ? credentials : { token: 'x' }, as });
    };
    const paths = ['/token', '/introspect'];
    // The second time the engine is not asked any more.
    for (const path of [...paths, ...paths]) expect((await ask(path, clients.service.client_secret)).status).toBe(200);
    for (let turn = 0; turn < 6; turn++) await ask('/token', 'a guess');
    for (const path of paths) {
      expect((await ask(path, 'a guess')).status).toBe(429);
      expect((await ask(path, clients.service.client_secret)).status).toBe(429);
    }
  });

  test('guessing from many addresses ends, and keeps no service waiting that is known', async () => {
    const home = somewhere();
    expect((await rightly(first, home)).status).toBe(200);
    let allowed = 0;
    for (let turn = 0; turn < 40; turn++) {
      const { status } = await guess(turn % 2 ? first : second, somewhere());
      if (status === 401) allowed++;
    }
    expect(allowed).toBeLessThanOrEqual(20);
    // Whoever was never right is refused, also with the right secret: it would be one more guess.
    expect((await rightly(first, somewhere())).status).toBe(429);
    expect((await rightly(second, somewhere())).status).toBe(429);
    for (const house of [first, second, first, second]) expect((await rightly(house, home)).status).toBe(200);
    // Another client is not concerned.
    expect((await guess(first, somewhere(), clients.orders)).status).toBe(401);
  });

  test('what one client may ask has an end, which nobody else can bring about', async () => {
    const asOrders = { fields: { token: 'x' }, as: clients.orders };
    const asStranger = { fields: { token: 'x' }, as: { ...clients.orders, client_secret: 'wrong' } };
    for (let turn = 0; turn < 4; turn++) await send(first, '/introspect', somewhere(), asStranger);
    const from = somewhere();
    let through = 0;
    let last = { status: 0, headers: {} as Record<string, string>, text: '' };
    for (let turn = 0; turn < 400 && last.status !== 429; turn++) {
      last = await send(turn % 2 ? first : second, '/introspect', from, asOrders);
      if (last.status === 200) through++;
    }
    expect(through).toBeGreaterThanOrEqual(199);
    expect(through).toBeLessThan(260);
    expect(last.status).toBe(429);
    expect(Number(last.headers['retry-after'])).toBeGreaterThan(60);
    expect(last.headers['ratelimit-policy']).toBe('"clientRequests";q=200;w=3600');
    expect(JSON.parse(last.text)).toMatchObject({ error: 'temporarily_unavailable' });
    expect((await send(first, '/introspect', from, { ...asOrders, as: clients.web })).status).toBe(200);
  });

  test('pages are refused to an address that asks for too many, as a page, and to nobody else', async () => {
    const from = somewhere();
    let last = { status: 0, headers: {} as Record<string, string>, text: '' };
    let through = 0;
    for (let turn = 0; turn < 150 && last.status !== 429; turn++) {
      last = await send(first, '/account', from);
      if (last.status !== 429) through++;
    }
    expect(through).toBeGreaterThanOrEqual(99);
    expect(last.status).toBe(429);
    expect(last.headers['content-type']).toContain('text/html');
    expect(last.headers['ratelimit-policy']).toBe('"pageRequests";q=100;w=3600');
    expect(Number(last.headers['retry-after'])).toBeGreaterThan(60);
    expect((await send(first, '/account', somewhere())).status).not.toBe(429);
    expect((await send(first, '/device', from)).status).not.toBe(429);
  });
});
