import { createLocalJWKSet, type JWK, jwtVerify, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createGround, eventually, type Ground } from '../../test/support/ground.ts';
import { createEvents } from '../events/index.ts';
import { createVault } from '../platform/index.ts';
import { type CurrentKeys, createKeys, defaultKeySettings, type KeySettings, type Keys } from './index.ts';

const settings: KeySettings = {
  algorithms: ['ES256'],
  rotateAfter: 10_000,
  publishAhead: 600,
  retireAfter: 1_000,
  jwksMaxAge: 300,
};

let ground: Awaited<ReturnType<typeof createGround>>;
let started: Keys[];

beforeEach(async () => {
  ground = await createGround();
  started = [];
});
afterEach(async () => {
  for (const keys of started) keys.stop();
  await ground.close();
});

const make = (on: Ground = ground, changes: Partial<KeySettings> = {}) =>
  createKeys({ ...on, events: createEvents(on), settings: { ...settings, ...changes } });

const start = async (on: Ground = ground, changes: Partial<KeySettings> = {}) => {
  const keys = make(on, changes);
  await keys.start();
  started.push(keys);
  return keys;
};

const sign = (keys: Keys, alg = 'ES256') => {
  const key = keys.current().signing[alg]!;
  return new SignJWT({}).setProtectedHeader({ alg, kid: key.kid! }).sign(key);
};
const verifies = (token: string, jwks: { keys: JWK[] }) =>
  jwtVerify(token, createLocalJWKSet(jwks)).then(
    () => true,
    () => false,
  );
const served = (keys: Keys): { keys: JWK[] } => JSON.parse(keys.jwks().body);
const kidOf = (keys: Keys) => keys.current().signing.ES256!.kid;

describe('signing keys', () => {
  it('there is one for each algorithm from the first start, under its thumbprint, private part sealed', async () => {
    const keys = await start(ground, { algorithms: ['ES256', 'RS256'] });
    const { signing, all, publicJwks } = keys.current();
    expect(Object.keys(signing).toSorted()).toEqual(['ES256', 'RS256']);
    expect(all).toHaveLength(2);
    for (const jwk of publicJwks.keys) expect(jwk).not.toHaveProperty('d');
    const { calculateJwkThumbprint } = await import('jose');
    for (const jwk of all) {
      expect(jwk.kid).toBe(await calculateJwkThumbprint(jwk));
      expect(jwk).toMatchObject({ use: 'sig', d: expect.any(String) });
    }
    const rows = await ground.db.query<{ row: string }>('select signing_key::text as row from signing_key');
    for (const { d } of all) expect(JSON.stringify(rows)).not.toContain(d);
    expect(await verifies(await sign(keys, 'RS256'), served(keys))).toBe(true);
  });

  it('processes that start together make one set', async () => {
    const grounds = await Promise.all([ground.another(), ground.another(), ground.another(), ground.another()]);
    const all = await Promise.all(grounds.map((on) => start(on, { algorithms: ['ES256', 'RS256'] })));
    expect(new Set(all.map((keys) => keys.current().version)).size).toBe(1);
    expect(await ground.db.query('select 1 from signing_key')).toHaveLength(2);
  });

  it('through scheduled rotations, any token verifies against any JWKS still in a cache, from any process', async () => {
    // Nobody is told anything: each learns by its own look at the database, now and then.
    const bus = { publish: async () => {}, offer: () => false, subscribe: () => {}, close: async () => {} };
    const processes = [await start({ ...ground, bus }), await start({ ...(await ground.another()), bus })];
    const tokens: { token: string; at: number }[] = [];
    const caches: { jwks: { keys: JWK[] }; at: number }[] = [];
    const signers = new Set<string | undefined>();
    for (let at = 0; at < 25_000; at += 100) {
      await processes[(at / 100) % 2]!.rotateIfDue();
      if (at % 300 === 0) for (const keys of processes) await keys.refresh();
      for (const keys of processes) {
        tokens.push({ token: await sign(keys), at });
        caches.push({ jwks: served(keys), at });
        signers.add(kidOf(keys));
      }
      const fresh = caches.filter((cache) => at - cache.at <= settings.jwksMaxAge);
      const sample = [...tokens.slice(-4), ...tokens.filter((t) => at - t.at === 700)];
      for (const { jwks } of fresh) {
        for (const { token } of sample) expect(await verifies(token, jwks), `at ${at}`).toBe(true);
      }
      ground.clock.move(100);
    }
    expect(signers.size).toBe(3);
  });

  it('every process changes the stage at the same moment, without being told', async () => {
    const [one, two] = [await start(), await start(await ground.another())];
    const old = kidOf(one);
    await one.rotate();
    await two.refresh();
    const [{ kid: next } = { kid: '' }] = await two.rotate();
    expect((await one.list()).map(({ kid, stage }) => [kid, stage])).toEqual([
      [old, 'signing'],
      [next, 'published'],
    ]);
    ground.clock.move(599);
    expect([kidOf(one), kidOf(two)]).toEqual([old, old]);
    ground.clock.move(1);
    expect([kidOf(one), kidOf(two)]).toEqual([next, next]);
    expect(one.current().all.map(({ kid }) => kid)).toEqual([next, old]);
    ground.clock.move(1_000);
    expect(served(two).keys.map(({ kid }) => kid)).toEqual([next]);
  });

  it('another process takes a new key up by the bus, and its listeners hear of it', async () => {
    const one = await start();
    const two = await start(await ground.another());
    const heard: CurrentKeys[] = [];
    two.onChange((keys) => heard.push(keys));
    await one.rotate();
    await eventually(() => expect(heard).toHaveLength(1));
    expect(heard[0]!.publicJwks.keys).toHaveLength(2);
    expect(heard[0]!.version).toBe(one.current().version);
  });

  it('listeners hear of a stage that only time changed', async () => {
    const keys = await start(ground, { publishAhead: 1, jwksMaxAge: 0 });
    await keys.rotate();
    const heard: CurrentKeys[] = [];
    keys.onChange((current) => heard.push(current));
    ground.clock.move(1);
    await eventually(() => expect(heard).toHaveLength(1));
    expect(heard[0]!.all[0]!.kid).not.toBe(heard[0]!.all[1]!.kid);
  });

  it('an unknown key id is looked for in the database, once a second at most', async () => {
    const [one, other] = [await start(), await ground.another()];
    const silent = { ...other, bus: { ...other.bus, publish: async () => {} } };
    const [{ kid } = { kid: '' }] = await make(silent).rotate();
    expect(await one.find('unknown')).toBeUndefined();
    expect(await one.find(kid)).toBeDefined();
    const queries = vi.spyOn(ground.db, 'query');
    for (let i = 0; i < 50; i++) await one.find('unknown');
    expect(queries).not.toHaveBeenCalled();
  });

  it('an emergency ends the old key and all it signed, at once and everywhere', async () => {
    const [one, two] = [await start(), await start(await ground.another())];
    await one.rotate();
    const token = await sign(one);
    const [{ kid } = { kid: '' }] = await one.rotate({ immediately: true, reason: 'stolen' });
    expect(kidOf(one)).toBe(kid);
    expect(await verifies(token, served(one))).toBe(false);
    await eventually(() => expect(kidOf(two)).toBe(kid));
    expect(await verifies(token, served(two))).toBe(false);
    const left = await ground.db.query('select kid from signing_key where sealed_private is not null');
    expect(left).toEqual([{ kid }]);
  });

  it('the private part is erased when the key is gone', async () => {
    const keys = await start();
    const old = kidOf(keys);
    await keys.rotate();
    ground.clock.move(600 + 999);
    await keys.rotateIfDue();
    expect(await ground.db.query('select 1 from signing_key where sealed_private is null')).toEqual([]);
    ground.clock.move(1);
    await keys.rotateIfDue();
    expect(await ground.db.query('select kid from signing_key where sealed_private is null')).toEqual([{ kid: old }]);
    expect(await createEvents(ground).history({ type: 'key.erased' })).toMatchObject([{ data: { kid: old } }]);
  });

  it('two processes that rotate at once bring one key on its way', async () => {
    const [one, two] = [await start(), await start(await ground.another())];
    const rotated = await Promise.all([one.rotate(), two.rotate(), one.rotate(), two.rotate()]);
    expect(new Set(rotated.flat().map(({ kid }) => kid)).size).toBe(1);
  });

  it('an algorithm nobody configured is refused', async () => {
    const keys = await start();
    await expect(keys.rotate({ alg: 'none' })).rejects.toMatchObject({ code: 'keys.algorithm_unknown' });
  });

  it('a process whose clock is behind signs with a key that is published', async () => {
    const ahead = await ground.another();
    const clock = { now: () => new Date(ground.clock.now().getTime() + 30_000) };
    await start({ ...ahead, clock } as Ground);
    const behind = await start();
    expect(await verifies(await sign(behind), served(behind))).toBe(true);
  });

  it('known keys keep signing while the database is away', async () => {
    const keys = await start();
    const failing = vi.spyOn(ground.db, 'query').mockRejectedValue(new Error('away'));
    await expect(keys.refresh()).rejects.toThrow('away');
    expect(await verifies(await sign(keys), served(keys))).toBe(true);
    failing.mockRestore();
  });

  it('a wrong secret stops the start and says so; a newer one beside it re-seals', async () => {
    await start();
    const newest = createVault('another secret for tests, long enough');
    await expect(make({ ...ground, vault: newest }).start()).rejects.toThrow('CARDEA_SECRET');
    const both = createVault([
      'another secret for tests, long enough',
      'a secret for tests only, long enough to be one',
    ]);
    const moved = make({ ...ground, vault: both });
    expect(await moved.reseal()).toBe(1);
    expect(await moved.reseal()).toBe(0);
    await start({ ...ground, vault: newest });
  });

  it('a sealed private part opens in its own row only', async () => {
    await start(ground, { algorithms: ['ES256', 'ES384'] });
    await ground.db.query(
      `update signing_key k set sealed_private = (select sealed_private from signing_key o where o.kid <> k.kid)`,
    );
    await expect(make(ground, { algorithms: ['ES256', 'ES384'] }).start()).rejects.toThrow('cannot be opened');
  });
});

describe('the JWKS', () => {
  it('may be cached and asked for again by its ETag', async () => {
    const keys = await start();
    const { status, headers, body } = keys.jwks();
    expect([status, JSON.parse(body).keys.length]).toEqual([200, 1]);
    expect(headers).toMatchObject({
      'Cache-Control': 'public, max-age=300',
      'Content-Type': 'application/jwk-set+json; charset=utf-8',
    });
    expect(keys.jwks(`"other", W/${headers.ETag}`)).toMatchObject({ status: 304, body: '' });
    await keys.rotate();
    expect(keys.jwks(headers.ETag).status).toBe(200);
  });

  it('is refused settings under which a cache could miss a key', () => {
    expect(() => make(ground, { publishAhead: 599 })).toThrow('twice');
    expect(defaultKeySettings.publishAhead).toBeGreaterThanOrEqual(2 * defaultKeySettings.jwksMaxAge);
  });
});
