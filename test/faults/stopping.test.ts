import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { Redis } from 'ioredis';
import { importJWK, SignJWT } from 'jose';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { newId } from '../../src/platform/index.ts';
import { type House, startApp } from '../support/app.ts';
import { bootstrap, clients, ORDERS, STOCK } from '../support/seeds.ts';

// What is stopped on one process is dead at the next introspection on any other, which answers from memory: also when
// the bus is cut and when Redis is emptied in between. Two houses in this process, each with a memory of its own.

const cli = { actor: { kind: 'system' } } as const;
const randomId = () => randomBytes(32).toString('base64url');
const epoch = () => Math.floor(Date.now() / 1000);

describe.each(['PostgreSQL', 'Redis'] as const)('over %s', (kind) => {
  const withRedis = kind === 'Redis';
  const test = it.skipIf(withRedis && !inject('redisUrl'));
  let first: House;
  let second: House;
  let sql: Client;
  let redis: Redis | undefined;
  const agent = new Agent({ keepAlive: true });
  beforeAll(async () => {
    if (withRedis && !inject('redisUrl')) return;
    first = await startApp({ bootstrap, redis: withRedis });
    second = await startApp({ beside: first, redis: withRedis });
    sql = new Client({ connectionString: first.databaseUrl });
    await sql.connect();
    if (withRedis) redis = new Redis(inject('redisUrl'));
  }, 90_000);
  afterAll(async () => {
    redis?.disconnect();
    agent.destroy();
    await sql?.end();
    await second?.stop();
    await first?.stop();
  });

  const basic = (as: { client_id: string; client_secret: string }) =>
    `Basic ${btoa(`${encodeURIComponent(as.client_id)}:${encodeURIComponent(as.client_secret)}`)}`;

  const send = (
    house: House,
    path: string,
    authorization: string,
    fields: Record<string, string>,
  ): Promise<{ status: number; text: string }> =>
    new Promise((resolve, reject) => {
      const body = new URLSearchParams(fields).toString();
      const asked = request(
        house.at + path,
        {
          method: 'POST',
          agent,
          headers: {
            host: new URL(house.issuer).host,
            'content-type': 'application/x-www-form-urlencoded',
            'content-length': Buffer.byteLength(body),
            authorization,
          },
        },
        async (response) => {
          let text = '';
          for await (const chunk of response) text += chunk;
          resolve({ status: response.statusCode!, text });
        },
      );
      asked.on('error', reject);
      asked.end(body);
    });

  const isActive = async (house: House, token: string, as = clients.orders): Promise<boolean> => {
    const { status, text } = await send(house, '/introspect', basic(as), { token });
    if (status !== 200) throw new Error(`${status} ${text}`);
    return JSON.parse(text).active;
  };
  const userinfo = async (house: House, { own }: Held) => (await send(house, '/userinfo', `Bearer ${own}`, {})).status;
  const refresh = async (house: House, { renewal }: Held) => {
    const fields = { grant_type: 'refresh_token', refresh_token: renewal };
    const { status, text } = await send(house, '/token', basic(clients.web), fields);
    return { status, error: JSON.parse(text).error };
  };

  /** A person signed in to `clientId`: opaque tokens for an API and for userinfo, a JWT, a refresh token, bound to the session. */
  async function hold(clientId = 'web', accountId?: string) {
    const { users, sessions, keys } = first.app.ports;
    const account = accountId ?? (await users.create({ state: 'Active' }, cli)).id;
    const [grantId, uid, token, jti, own, renewal] = [0, 1, 2, 3, 4, 5].map(randomId) as [
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    const times = { iat: epoch(), exp: epoch() + 600 };
    const common = { ...times, accountId: account, clientId };
    const save = (model: string, id: string, payload: object) =>
      sessions.adapter(model).upsert(id, { kind: model, jti: id, ...payload } as never, 600);
    await save('Grant', grantId, { ...common, openid: { scope: 'openid email' } });
    await save('Session', randomId(), {
      ...common,
      uid,
      loginTs: epoch(),
      authorizations: { [clientId]: { sid: randomId(), grantId } },
    });
    const bound = { ...common, grantId, sessionUid: uid, expiresWithSession: true, scope: 'stock:read', aud: STOCK };
    await save('AccessToken', token, bound);
    const forUs = { ...bound, aud: undefined, scope: 'openid email' };
    await save('AccessToken', own, forUs);
    await save('RefreshToken', renewal, { ...forUs, gty: 'authorization_code', rotations: 0 });
    const key = keys.current().signing.ES256!;
    const jwt = await new SignJWT({ client_id: clientId, jti, gid: grantId, suid: uid, scope: 'orders:read' })
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: key.kid! })
      .setIssuer(first.issuer)
      .setSubject(account)
      .setAudience(ORDERS)
      .setIssuedAt(times.iat)
      .setExpirationTime(times.exp)
      .sign(await importJWK(key, 'ES256'));
    return { account, grantId, uid, token, jti, jwt, clientId, own, renewal };
  }
  type Held = Awaited<ReturnType<typeof hold>>;

  const ways: Record<string, (house: House, held: Held) => Promise<unknown>> = {
    'a suspended person': ({ app }, { account }) => app.ports.users.change(account, 'suspend', cli),
    'a deleted person': ({ app }, { account }) => app.ports.users.change(account, 'remove', cli),
    'everything ended': ({ app }, { account }) => app.ports.sessions.endAllOf(account, 'test'),
    'an ended session': ({ app }, { uid }) => app.ports.sessions.endSession(uid, 'test'),
    'an ended grant': ({ app }, { grantId }) => app.ports.sessions.endGrant(grantId, 'test'),
    'a grant revoked through the engine': ({ app }, { grantId }) =>
      app.ports.sessions.adapter('Grant').destroy(grantId),
  };

  /** Twice each, so that it is remembered. */
  const use = async (house: House, { token, jwt }: Held) => {
    for (const one of [token, jwt, token, jwt]) expect(await isActive(house, one)).toBe(true);
  };

  test.each(Object.keys(ways))('%s is dead on the other process at userinfo and refresh at once', async (way) => {
    for (let round = 0; round < 6; round++) {
      const [here, there] = round % 2 ? [first, second] : [second, first];
      const held = await hold();
      const other = await hold();
      for (const one of [held, other, held, other]) expect(await userinfo(there, one)).toBe(200);
      if (round % 3 === 1) await emptyJournal();
      await ways[way]!(here, held);
      if (round % 3 === 2) await emptyJournal();
      expect(await userinfo(there, held)).toBe(401);
      expect(await refresh(there, held)).toEqual({ status: 400, error: 'invalid_grant' });
      expect(await userinfo(there, other)).toBe(200);
      expect(await refresh(there, other)).toMatchObject({ status: 200 });
    }
  });

  test('another grant in the session ends what hung on the one before, at userinfo on the other process too', async () => {
    for (let round = 0; round < 6; round++) {
      const held = await hold();
      for (let turn = 0; turn < 2; turn++) expect(await userinfo(second, held)).toBe(200);
      await first.app.ports.sessions.endGrant(held.grantId, 'test');
      const next = await hold('web', held.account);
      const part = await first.app.ports.sessions.authorize(held.uid, 'web', { grantId: next.grantId });
      expect(part?.grantId).toBe(next.grantId);
      expect(await userinfo(second, held)).toBe(401);
      // A token of the new grant, bound to the old session: nobody told of what began, and it counts at once.
      const token = randomId();
      await first.app.ports.sessions.adapter('AccessToken').upsert(
        token,
        {
          ...{ kind: 'AccessToken', jti: token, iat: epoch(), exp: epoch() + 600, scope: 'openid', clientId: 'web' },
          ...{ accountId: held.account, grantId: next.grantId, sessionUid: held.uid, expiresWithSession: true },
        },
        600,
      );
      expect(await userinfo(second, { ...held, own: token })).toBe(200);
    }
  });

  test.each(Object.keys(ways))('%s is dead on the other process at once, round after round', async (way) => {
    for (let round = 0; round < 12; round++) {
      const [here, there] = round % 2 ? [first, second] : [second, first];
      const held = await hold();
      const other = await hold();
      await use(there, held);
      await use(there, other);
      await ways[way]!(here, held);
      expect(await Promise.all([held.token, held.jwt].map((one) => isActive(there, one)))).toEqual([false, false]);
      expect(await isActive(there, other.token)).toBe(true);
    }
  });

  const emptyJournal = async () => {
    const [row] = (await sql.query('select id from stop_head')).rows;
    await redis?.del(`cardea:{stops:${row.id}}`, `cardea:{stops:${row.id}}:head`);
  };

  test('with the bus cut, and Redis emptied of its journal in between', async () => {
    const all = Object.values(ways);
    for (let round = 0; round < 24; round++) {
      const held = await hold();
      await use(second, held);
      await sql.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen %' and datname = current_database()`,
      );
      if (round % 3 === 1) await emptyJournal();
      await all[round % all.length]!(first, held);
      if (round % 3 === 2) await emptyJournal();
      expect(await Promise.all([held.token, held.jwt].map((one) => isActive(second, one)))).toEqual([false, false]);
    }
  });

  test('a single JWT, a single opaque token, an application and a caller, each on its own', async () => {
    const { clients: applications, resources, sessions } = first.app.ports;
    for (let round = 0; round < 5; round++) {
      const held = await hold();
      await use(second, held);
      await sessions.revokeJwt(held.jti, new Date(Date.now() + 600_000));
      expect(await isActive(second, held.jwt)).toBe(false);
      expect(await isActive(second, held.token)).toBe(true);
      await sessions.adapter('AccessToken').destroy(held.token);
      expect(await isActive(second, held.token)).toBe(false);

      const clientId = newId();
      await applications.add({ client_id: clientId, redirect_uris: ['http://localhost:9/'] } as never, cli);
      const theirs = await hold(clientId);
      await use(second, theirs);
      await applications.remove(clientId, cli);
      expect(await Promise.all([theirs.token, theirs.jwt].map((one) => isActive(second, one)))).toEqual([false, false]);

      const stock = (await resources.find(STOCK))!;
      const mine = await hold();
      await use(second, mine);
      await resources.put({ ...stock, clientIds: [] });
      expect(await isActive(second, mine.token)).toBe(false);
      await resources.put(stock);
      expect(await isActive(second, mine.token)).toBe(true);
    }
  });

  test('a caller whose secret ends, or who is removed, asks nothing more', async () => {
    const { clients: applications } = first.app.ports;
    const metadata = { grant_types: [], response_types: [], redirect_uris: [] };
    const client_id = newId();
    const added = await applications.add({ client_id, ...metadata } as never, cli);
    const caller = { ...clients.orders, client_id, client_secret: added.secret! };
    const ask = () => isActive(second, 'x', caller).catch((error: Error) => error.message.slice(0, 3));
    for (let turn = 0; turn < 3; turn++) expect(await ask()).toBe(false);
    const fresh = await applications.addSecret(client_id, cli, { othersEndAt: new Date() });
    expect(await ask()).toBe('401');
    caller.client_secret = fresh;
    for (let turn = 0; turn < 3; turn++) expect(await ask()).toBe(false);
    await applications.remove(client_id, cli);
    expect(await ask()).toBe('401');
  });

  test('while both are asked all the time, no answer that was asked for after a stop is from before it', async () => {
    const helds = await Promise.all(Array.from({ length: 12 }, () => hold()));
    const stopped = new Set<Held>();
    let running = true;
    let answers = 0;
    const wrong: string[] = [];
    const loops = Array.from({ length: 12 }, async (_, index) => {
      for (let turn = index; running; turn++) {
        const held = helds[turn % helds.length]!;
        const wasStopped = stopped.has(held);
        const active = await isActive(turn % 2 ? first : second, turn % 3 ? held.token : held.jwt);
        answers++;
        if (wasStopped && active) wrong.push(held.grantId);
      }
    });
    const all = Object.values(ways);
    for (const [index, held] of helds.slice(0, 10).entries()) {
      await all[index % all.length]!(index % 2 ? first : second, held);
      stopped.add(held);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    running = false;
    await Promise.all(loops);
    expect(wrong).toEqual([]);
    expect(answers).toBeGreaterThan(200);
    expect(await isActive(first, helds[11]!.token)).toBe(true);
  });

  test('who is let in again is let in at once', async () => {
    const held = await hold();
    await use(second, held);
    await first.app.ports.users.change(held.account, 'suspend', cli);
    expect(await isActive(second, held.token)).toBe(false);
    await first.app.ports.users.change(held.account, 'reactivate', cli);
    // What ended stays ended; what is granted anew counts.
    expect(await isActive(second, held.token)).toBe(false);
    await use(second, await hold('web', held.account));
  });
});
