import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type AdapterPayload, errors } from 'oidc-provider';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDb, type Db } from '../../src/platform/db/index.ts';
import { type Clock, createVault, newId, silentLog } from '../../src/platform/index.ts';
import type { RedisConnection } from '../../src/platform/redis.ts';
import { createSessions, type Ended, type Sessions } from '../../src/sessions/index.ts';
import { freshDatabase } from '../support/database.ts';

export const migrations = join(import.meta.dirname, '../../migrations');

/** A clock that starts now and moves when told. */
export function movableClock(): Clock & { pass(seconds: number): void } {
  let ahead = 0;
  return {
    now: () => new Date(Date.now() + ahead),
    pass: (seconds) => {
      ahead += seconds * 1000;
    },
  };
}

export const randomId = () => randomBytes(32).toString('base64url');
const epoch = (clock: Clock) => Math.floor(clock.now().getTime() / 1000);
const day = 24 * 3600;

const outcomes = async (work: Promise<unknown>[]) => {
  const settled = await Promise.allSettled(work);
  return {
    won: settled.filter(({ status }) => status === 'fulfilled').length,
    lost: settled.flatMap((one) => (one.status === 'rejected' ? [one.reason] : [])),
  };
};
const times = <T>(count: number, work: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => work(i));

/** What every artifact store must do, whatever it keeps its fleeting half in. */
export function artifactStoreContract(
  name: string,
  openFleeting: () => Promise<{ redis?: RedisConnection; dump(db: Db): Promise<string>; flush(db: Db): Promise<void> }>,
): void {
  describe(`the artifact store over ${name}`, () => {
    let db: Db;
    let store: Awaited<ReturnType<typeof openFleeting>>;
    let drop: () => Promise<void>;
    let clock: ReturnType<typeof movableClock>;
    let sessions: Sessions;
    let stopped: Set<string>;
    let rotating: Set<string>;
    let accountId: string;

    beforeAll(async () => {
      const database = await freshDatabase();
      drop = database.drop;
      db = await createDb({ url: database.url, entities: [], migrations, log: silentLog });
      store = await openFleeting();
    });
    afterAll(async () => {
      store.redis?.disconnect();
      await db.close();
      await drop();
    });
    beforeEach(() => {
      clock = movableClock();
      stopped = new Set();
      rotating = new Set();
      accountId = newId();
      sessions = create({});
    });
    const create = (more: Partial<Parameters<typeof createSessions>[0]>) =>
      createSessions({
        db,
        redis: store.redis,
        clock,
        vault: createVault('a secret for tests'),
        mayHold: async (id) => !stopped.has(id),
        request: () => ({ isRotation: (id) => rotating.has(id), ip: '192.0.2.1', userAgent: 'a browser' }),
        ...more,
      });

    const payload = (kind: string, more: Partial<AdapterPayload> = {}, ttl = 600): AdapterPayload => ({
      kind,
      iat: epoch(clock),
      exp: epoch(clock) + ttl,
      ...more,
    });
    const save = async (model: string, more: Partial<AdapterPayload> = {}, ttl = 600, id = randomId()) => {
      await sessions.adapter(model).upsert(id, { ...payload(model, more, ttl), jti: id }, ttl);
      return id;
    };
    const grant = (more: Partial<AdapterPayload> = {}) =>
      save('Grant', { accountId, clientId: 'app', openid: { scope: 'openid email' }, ...more }, 14 * day);
    const refreshToken = async (more: Partial<AdapterPayload> = {}) => {
      const grantId = more.grantId ?? (await grant());
      return save('RefreshToken', { accountId, clientId: 'app', scope: 'openid', ...more, grantId }, day);
    };
    const signIn = async (authorizations: AdapterPayload['authorizations'] = {}, uid = randomId()) => {
      const more = { uid, accountId, loginTs: epoch(clock), acr: 'urn:1', amr: ['pwd'], authorizations };
      return { uid, id: await save('Session', more, 14 * day) };
    };
    const model = (name: string) => sessions.adapter(name);

    describe('every model', () => {
      it.each([
        'AccessToken',
        'ClientCredentials',
        'AuthorizationCode',
        'DeviceCode',
        'BackchannelAuthenticationRequest',
        'PushedAuthorizationRequest',
        'Interaction',
        'RefreshToken',
        'Grant',
        'InitialAccessToken',
        'RegistrationAccessToken',
        'ReplayDetection',
      ])('%s comes back as it was written, until it is destroyed', async (kind) => {
        const grantId = await grant();
        const common =
          kind === 'Grant' ? { rar: [{ type: 'x' }] } : kind === 'ReplayDetection' ? {} : { scope: 'a\u0000b \ud800' };
        const id = await save(kind, { ...common, accountId, clientId: 'app', grantId });
        const found = await model(kind).find(id);
        expect(found).toMatchObject({ ...common, jti: id });
        expect(found?.consumed).toBeUndefined();
        if (kind === 'ReplayDetection') return;
        await model(kind).destroy(id);
        expect(await model(kind).find(id)).toBeUndefined();
        expect(await model(kind).find('unknown')).toBeUndefined();
      });

      it('refuses a model it does not know, rather than losing it', () => {
        expect(() => sessions.adapter('Client')).toThrow();
        expect(() => sessions.adapter('Novelty')).toThrow();
      });

      it('trap 8: no bearer value stands in the store', async () => {
        const grantId = await grant();
        const ids = await Promise.all([
          save('AccessToken', { grantId }),
          save('ClientCredentials'),
          save('AuthorizationCode', { grantId }),
          save('PushedAuthorizationRequest', { request: 'secret-request' }),
          save('BackchannelAuthenticationRequest', { params: { client_notification_token: 'secret-notification' } }),
          refreshToken({ grantId }),
          save('InitialAccessToken'),
          save('RegistrationAccessToken', { clientId: 'app' }),
          signIn().then(({ id }) => id),
        ]);
        const deviceCode = await save('DeviceCode', { userCode: 'BCDFGHJK' });
        const interaction = await save('Interaction', { deviceCode, parJti: ids[3], session: { cookie: ids[8] } });
        await sessions.fleeting.put('attempt', 'attempt-id', { note: 'secret-note' }, 60);
        const tables = ['session', 'authorization_grant', 'refresh_token', 'registration_token', 'fleeting'];
        const rows = await Promise.all(
          tables.map((table) => db.query(`select to_jsonb(t)::text as text from ${table} t`)),
        );
        const everything = JSON.stringify(rows) + (await store.dump(db));
        for (const secret of [...ids, deviceCode, interaction, 'BCDFGHJK', 'attempt-id']) {
          expect(everything).not.toContain(secret);
        }
        expect(everything).not.toContain('secret-');
      });

      it('an expired artifact is told from an unknown one for a moment, then it is gone', async () => {
        const id = await save('DeviceCode', {}, 10);
        clock.pass(11);
        expect(await model('DeviceCode').find(id)).toBeDefined();
        clock.pass(60);
        expect(await model('DeviceCode').find(id)).toBeUndefined();
      });
    });

    describe('single use', () => {
      it.each([
        ['AuthorizationCode', errors.InvalidGrant],
        ['DeviceCode', errors.InvalidGrant],
        ['BackchannelAuthenticationRequest', errors.InvalidGrant],
        ['PushedAuthorizationRequest', errors.InvalidRequestUri],
        ['RefreshToken', errors.InvalidGrant],
      ] as const)('trap 1: of 64 that consume one %s at once, exactly one wins', async (kind, Lost) => {
        const id = kind === 'RefreshToken' ? await refreshToken() : await save(kind, { accountId });
        const { won, lost } = await outcomes(times(64, () => model(kind).consume(id)));
        expect(won).toBe(1);
        expect(lost).toHaveLength(63);
        for (const error of lost) expect(error).toBeInstanceOf(Lost);
      });

      it('trap 1: of 64 that show one DPoP proof at once, exactly one wins', async () => {
        const id = randomId();
        const { won, lost } = await outcomes(times(64, () => save('ReplayDetection', { iss: 'app' }, 60, id)));
        expect(won).toBe(1);
        for (const error of lost) expect(error).toBeInstanceOf(errors.InvalidGrant);
        expect(await model('ReplayDetection').find(id)).toMatchObject({ iss: 'app' });
      });

      it('a proof may come again once it has expired', async () => {
        const id = await save('ReplayDetection', { iss: 'app' }, 60);
        clock.pass(121);
        await save('ReplayDetection', { iss: 'app' }, 60, id);
        expect(await model('ReplayDetection').find(id)).toBeDefined();
      });

      it('a used code is remembered as used, so that a replay ends the grant', async () => {
        const id = await save('AuthorizationCode', { accountId });
        await model('AuthorizationCode').consume(id);
        expect((await model('AuthorizationCode').find(id))?.consumed).toBeCloseTo(epoch(clock), -1);
      });

      it('a used refresh token is remembered as used, with the moment of its use', async () => {
        const id = await refreshToken();
        await model('RefreshToken').consume(id);
        expect((await model('RefreshToken').find(id))?.consumed).toBeCloseTo(epoch(clock), -1);
      });

      it('a device code that is written again after its use stays used', async () => {
        const id = await save('DeviceCode', { userCode: 'BBBBCCCC' });
        await model('DeviceCode').consume(id);
        await save('DeviceCode', { userCode: 'BBBBCCCC', error: 'access_denied' }, 600, id);
        await expect(model('DeviceCode').consume(id)).rejects.toThrow(errors.InvalidGrant);
        expect(await model('DeviceCode').find(id)).toBeUndefined();
      });

      it.each(['AuthorizationCode', 'DeviceCode', 'PushedAuthorizationRequest', 'RefreshToken'])(
        'a %s that is not there cannot be consumed',
        async (kind) => {
          await expect(model(kind).consume(randomId())).rejects.toThrow(errors.OIDCProviderError);
        },
      );

      it('finds a device code by its user code, and lets it be approved', async () => {
        const id = await save('DeviceCode', { userCode: 'DDDDFFFF' });
        const found = (await model('DeviceCode').findByUserCode('DDDDFFFF'))!;
        expect(found).toMatchObject({ jti: id, userCode: 'DDDDFFFF' });
        await model('DeviceCode').upsert(found.jti as string, { ...found, accountId }, 500);
        expect(await model('DeviceCode').find(id)).toMatchObject({ accountId });
        expect(await model('DeviceCode').findByUserCode('GGGGGGGG')).toBeUndefined();
      });
    });

    describe('grants', () => {
      it('ending a grant is one row, and ends its refresh tokens', async () => {
        const grantId = await grant();
        const id = await refreshToken({ grantId });
        expect(await sessions.isGrantLive(grantId)).toBe(true);
        expect(await sessions.endGrant(grantId, 'revoked')).toBe(true);
        expect(await sessions.isGrantLive(grantId)).toBe(false);
        expect(await model('Grant').find(grantId)).toBeUndefined();
        expect(await model('RefreshToken').find(id)).toBeUndefined();
        expect(await sessions.endGrant(grantId, 'again')).toBe(false);
      });

      it('a grant that ended is not revived by a late write', async () => {
        const grantId = await grant();
        await model('Grant').destroy(grantId);
        await expect(save('Grant', { accountId, clientId: 'app' }, day, grantId)).rejects.toThrow(errors.InvalidGrant);
        expect(await model('Grant').find(grantId)).toBeUndefined();
      });

      it('no refresh token is born under a dead grant or under none', async () => {
        const grantId = await grant();
        await sessions.endGrant(grantId, 'revoked');
        await expect(refreshToken({ grantId })).rejects.toThrow(errors.InvalidGrant);
        await expect(refreshToken({ grantId: 'unknown' })).rejects.toThrow(errors.InvalidGrant);
      });

      it('the request whose code is being replayed may finish, with tokens that are dead', async () => {
        const grantId = await grant();
        await sessions.endGrant(grantId, 'replayed');
        const id = await refreshToken({ grantId });
        expect(await model('RefreshToken').find(id)).toBeUndefined();
      });

      it('trap 7: a grant lives as long as its refresh tokens', async () => {
        const grantId = await save('Grant', { accountId, clientId: 'app' }, 60);
        await refreshToken({ grantId });
        const found = await model('Grant').find(grantId);
        expect(found!.exp! - epoch(clock)).toBeGreaterThan(day - 60);
      });

      it('trap 2: of 16 requests that each add to one grant at once none is lost', async () => {
        const grantId = await grant();
        const documents = await Promise.all(times(16, () => model('Grant').find(grantId)));
        await Promise.all(
          documents.map((document, index) => {
            const openid = { scope: `openid email s${index}`, claims: [`c${index}`] };
            const resources = { 'https://api': `r${index}` };
            return model('Grant').upsert(grantId, { ...document, openid, resources } as never, day);
          }),
        );
        const found = (await model('Grant').find(grantId)) as { openid: { scope: string; claims: string[] } };
        expect(found.openid.scope.split(' ')).toHaveLength(18);
        expect(found.openid.claims).toHaveLength(16);
        const [summary] = await sessions.grantsOf(accountId);
        expect(summary!.resourceScopes['https://api']).toHaveLength(16);
      });

      it('nothing is granted to an account that may hold nothing', async () => {
        stopped.add(accountId);
        await expect(grant()).rejects.toThrow(errors.InvalidGrant);
        await expect(signIn()).rejects.toThrow(errors.AccessDenied);
      });

      it('revoking the tokens of a grant leaves the grant', async () => {
        const grantId = await grant();
        const id = await refreshToken({ grantId });
        await model('RefreshToken').revokeByGrantId(grantId);
        await model('AccessToken').revokeByGrantId(grantId);
        expect(await model('RefreshToken').find(id)).toBeUndefined();
        expect(await sessions.isGrantLive(grantId)).toBe(true);
      });

      it('trap 23: a retry of a refresh does not look used, and is refused without ending the grant', async () => {
        const patient = create({ refreshReplaySeconds: 10 });
        const id = await refreshToken();
        await patient.adapter('RefreshToken').consume(id);
        expect((await patient.adapter('RefreshToken').find(id))?.consumed).toBeUndefined();
        expect((await patient.usedRefreshToken(id))?.at.getTime()).toBeCloseTo(clock.now().getTime(), -4);
        await expect(patient.adapter('RefreshToken').consume(id)).rejects.toThrow(errors.InvalidGrant);
        clock.pass(10);
        expect((await patient.adapter('RefreshToken').find(id))?.consumed).toBeTypeOf('number');
      });

      it('of 16 trades of one refresh token at once one is written, whole, and the others leave nothing', async () => {
        const grantId = await grant();
        const id = await refreshToken({ grantId });
        const tokens = model('RefreshToken');
        const kept: string[] = [];
        const trade = async () => {
          const next = randomId();
          await sessions.tradeRefreshToken(
            async () => {
              await tokens.consume(id);
              await tokens.upsert(next, payload('RefreshToken', { grantId, clientId: 'app', accountId }), day);
              expect(await tokens.find(next)).toBeUndefined();
            },
            async (successor) => void kept.push(successor),
          );
          return next;
        };
        const results = await Promise.allSettled(times(16, trade));
        const won = results.filter(({ status }) => status === 'fulfilled') as PromiseFulfilledResult<string>[];
        expect([won.length, kept.length]).toEqual([1, 16]);
        expect(kept).toContain((await sessions.usedRefreshToken(id))!.successor);
        expect(await tokens.find(won[0]!.value)).toMatchObject({ grantId });
        expect((await db.query('select 1 from refresh_token where grant_id = $1', [grantId])).length).toBe(2);
      });

      const tradeIn = async (of: Sessions, id: string) => {
        const tokens = of.adapter('RefreshToken');
        const { grantId } = (await tokens.find(id)) as AdapterPayload;
        const next = payload('RefreshToken', { grantId: grantId!, clientId: 'app', accountId });
        const work = async () => {
          await tokens.consume(id);
          await tokens.upsert(randomId(), next, day);
        };
        await of.tradeRefreshToken(work, async () => {});
      };

      it.each(['ended', 'made to grow'])(
        'trades beside a grant that is just being %s do not wait for that',
        async (how) => {
          const outside = AsyncLocalStorage.snapshot();
          const held = await grant();
          const ids = [await refreshToken({ grantId: held }), await refreshToken()];
          await db.transact(async () => {
            if (how === 'ended') await sessions.endGrant(held, 'test');
            else await model('Grant').upsert(held, payload('Grant', { accountId, clientId: 'app' }), day);
            const traded = outside(() => Promise.all(ids.map((id) => tradeIn(sessions, id))));
            await Promise.race([traded, wait(5_000).then(() => Promise.reject(new Error('they wait for the grant')))]);
          });
          const used = await Promise.all(ids.map((id) => sessions.usedRefreshToken(id)));
          expect(used.map(Boolean)).toEqual([how !== 'ended', true]);
        },
      );

      it('trades of the same refresh tokens in two processes, the other way round, hold nobody up', async () => {
        const failed: unknown[] = [];
        const query: Db['query'] = (...asked) =>
          db.query<never>(...asked).catch((error: unknown) => {
            failed.push(error);
            throw error;
          });
        const [one, another] = [create({ db: { ...db, query } }), create({ db: { ...db, query } })];
        for (let round = 0; round < 40; round++) {
          const ids = await Promise.all(times(16, () => refreshToken()));
          const trades = [...ids.map((id) => tradeIn(one, id)), ...ids.toReversed().map((id) => tradeIn(another, id))];
          expect(await outcomes(trades)).toMatchObject({ won: 16 });
        }
        // PostgreSQL ends what waits for each other after a second, and all that share the statement have waited for it.
        expect(failed).toEqual([]);
      });

      it('a trade that fails before its end writes nothing', async () => {
        const grantId = await grant();
        const id = await refreshToken({ grantId });
        const work = async () => {
          await model('RefreshToken').consume(id);
          await model('RefreshToken').upsert(randomId(), payload('RefreshToken', { grantId, clientId: 'app' }), day);
        };
        const failing = async () => {
          throw new Error('the answer could not be kept');
        };
        await expect(sessions.tradeRefreshToken(work, failing)).rejects.toThrow('could not be kept');
        expect(await sessions.usedRefreshToken(id)).toBeUndefined();
        await sessions.endGrant(grantId, 'test');
        await expect(sessions.tradeRefreshToken(work, async () => {})).rejects.toThrow(errors.InvalidGrant);
      });

      it('no grant and no session is born while their account is being stopped', async () => {
        await db.query('create table if not exists holder (id uuid primary key, active boolean)');
        await db.query('insert into holder values ($1, true)', [accountId]);
        const gate = Promise.withResolvers<void>();
        const asked = Promise.withResolvers<void>();
        const gated = create({
          mayHold: async (id) => {
            const rows = await db.query('select 1 from holder where id = $1 and active for share', [id]);
            asked.resolve();
            await gate.promise;
            return rows.length === 1;
          },
        });
        const stop = () =>
          db.transact(async () => {
            await db.query('update holder set active = false where id = $1', [accountId]);
            await gated.endAllOf(accountId, 'user.suspended');
          });
        const grantId = randomId();
        const early = gated.adapter('Grant').upsert(grantId, payload('Grant', { accountId, clientId: 'app' }), day);
        await asked.promise;
        const stopping = stop();
        const late = times(8, () =>
          gated.adapter('Grant').upsert(randomId(), payload('Grant', { accountId, clientId: 'app' }), day),
        );
        gate.resolve();
        await Promise.all([early, stopping, Promise.allSettled(late)]);
        expect(await gated.isGrantLive(grantId)).toBe(false);
        expect(await gated.grantsOf(accountId)).toEqual([]);
        const uid = randomId();
        const session = payload('Session', { uid, accountId, loginTs: epoch(clock), authorizations: {} });
        await expect(gated.adapter('Session').upsert(randomId(), session, day)).rejects.toThrow(errors.AccessDenied);
      });

      it('lists what an account granted', async () => {
        const grantId = await grant({ resources: { 'https://api': 'read write' } });
        expect(await sessions.grantsOf(accountId)).toMatchObject([
          {
            id: grantId,
            clientId: 'app',
            scopes: ['openid', 'email'],
            resourceScopes: { 'https://api': ['read', 'write'] },
          },
        ]);
      });

      it('ending an application ends its grants and its registration token', async () => {
        const clientId = randomId();
        const grantId = await grant({ clientId });
        const other = await grant();
        const token = await save('RegistrationAccessToken', { clientId });
        const { uid } = await signIn({ [clientId]: { sid: 's', grantId }, app: { grantId: other } });
        await sessions.endClient(clientId, 'client.deleted');
        expect(await sessions.isGrantLive(grantId)).toBe(false);
        expect(await sessions.isGrantLive(other)).toBe(true);
        expect(await model('RegistrationAccessToken').find(token)).toBeUndefined();
        expect(Object.keys((await sessions.find(uid))!.authorizations)).toEqual(['app']);
      });
    });

    describe('sessions', () => {
      const read = async (id: string) => (await model('Session').find(id)) as AdapterPayload;
      const write = (id: string, document: AdapterPayload) =>
        model('Session').upsert(id, { ...document, jti: id }, 14 * day);

      it('keeps who signed in, when, how and from where', async () => {
        const { uid, id } = await signIn({ app: { sid: 's1', grantId: 'g1' } });
        const same = {
          uid,
          accountId,
          loginTs: epoch(clock),
          acr: 'urn:1',
          amr: ['pwd'],
          authorizations: { app: { sid: 's1', grantId: 'g1' } },
        };
        expect(await read(id)).toMatchObject({ ...same, jti: id });
        expect(await model('Session').findByUid(uid)).toMatchObject(same);
        expect(await sessions.listOf(accountId)).toMatchObject([
          { uid, accountId, acr: 'urn:1', amr: ['pwd'], remember: true, ip: '192.0.2.1', userAgent: 'a browser' },
        ]);
      });

      it('a session nobody signed in to is in no registry', async () => {
        const uid = randomId();
        const id = await save('Session', { uid, state: { secret: 'x' } } as Partial<AdapterPayload>);
        expect(await read(id)).toMatchObject({ uid, state: { secret: 'x' } });
        expect(await sessions.find(uid)).toBeUndefined();
        await model('Session').destroy(id);
        expect(await read(id)).toBeUndefined();
      });

      it('trap 2: of 16 parallel sign-ins on one session none is lost', async () => {
        const { uid, id } = await signIn();
        const documents = await Promise.all(times(16, () => read(id)));
        await Promise.all(
          documents.map((document, index) => {
            document.authorizations![`app-${index}`] = { sid: `s${index}`, grantId: `g${index}` };
            return write(index % 2 ? id : randomId(), document);
          }),
        );
        const found = (await model('Session').findByUid(uid))!;
        expect(Object.keys(found.authorizations!)).toHaveLength(16);
        for (const index of times(16, (i) => i)) {
          expect(found.authorizations![`app-${index}`]).toEqual({ sid: `s${index}`, grantId: `g${index}` });
        }
        expect(Object.keys((await read(id)).authorizations!)).toHaveLength(16);
      });

      it('trap 2: signing one application out and another in, at once, does both', async () => {
        const ended: Ended[] = [];
        sessions.onEnded(async (some) => void ended.push(...some));
        const { uid, id } = await signIn({ one: { sid: 's1', grantId: 'g1' } });
        const [leaving, joining] = await Promise.all([read(id), read(id)]);
        leaving.authorizations!.one = undefined as never;
        delete leaving.authorizations!.one;
        joining.authorizations!.two = { sid: 's2', grantId: 'g2' };
        await Promise.all([write(id, leaving), write(id, joining)]);
        expect((await sessions.find(uid))!.authorizations).toEqual({ two: { sid: 's2', grantId: 'g2' } });
        expect(ended).toEqual([{ accountId, sessionUid: uid, clientId: 'one', sid: 's1' }]);
      });

      it('of 16 sign-ins to one application at once all get the same grant', async () => {
        const { uid } = await signIn();
        const parts = await Promise.all(
          times(16, async (index) => sessions.authorize(uid, 'app', { sid: `s${index}`, grantId: await grant() })),
        );
        expect(new Set(parts.map((part) => JSON.stringify(part))).size).toBe(1);
        await sessions.endGrant(parts[0]!.grantId!, 'revoked');
        const grantId = await grant();
        expect(await sessions.authorize(uid, 'app', { sid: 'next', grantId })).toEqual({ sid: 'next', grantId });
        expect(await sessions.authorize(randomId(), 'app', { grantId })).toBeUndefined();
      });

      it('a stronger sign-in on the session is seen by all its ids', async () => {
        const { id } = await signIn();
        const document = await read(id);
        await write(randomId(), { ...document, acr: 'urn:2', amr: ['pwd', 'otp'] });
        expect(await read(id)).toMatchObject({ acr: 'urn:2', amr: ['pwd', 'otp'] });
      });

      it('trap 22: a rotated session id leads to its session for ten minutes', async () => {
        const { uid, id } = await signIn({ app: { sid: 's1' } });
        const document = await read(id);
        rotating.add(id);
        await model('Session').destroy(id);
        const newIdOfIt = randomId();
        await write(newIdOfIt, document);
        expect(await read(id)).toMatchObject({ uid, accountId, authorizations: { app: { sid: 's1' } } });
        clock.pass(601);
        expect(await read(id)).toBeUndefined();
        expect(await read(newIdOfIt)).toMatchObject({ uid });
      });

      it('an id from before the sign-in leads nowhere after it (session fixation)', async () => {
        const uid = randomId();
        const planted = await save('Session', { uid });
        const document = await read(planted);
        rotating.add(planted);
        await model('Session').destroy(planted);
        await write(randomId(), { ...document, accountId, loginTs: epoch(clock) });
        expect(await read(planted)).toBeUndefined();
      });

      it('signing out is final, for every id of the session', async () => {
        const ended: Ended[] = [];
        sessions.onEnded(async (some) => void ended.push(...some));
        const { uid, id } = await signIn({ app: { sid: 's1' } });
        const alias = randomId();
        await write(alias, await read(id));
        await model('Session').destroy(id);
        expect(await read(id)).toBeUndefined();
        expect(await read(alias)).toBeUndefined();
        expect(await model('Session').findByUid(uid)).toBeUndefined();
        expect(ended).toEqual([{ accountId, sessionUid: uid, clientId: 'app', sid: 's1' }]);
      });

      it('a session that ended is not revived by a late write', async () => {
        const { uid, id } = await signIn();
        const [late, stronger, unchanged] = await Promise.all([read(id), read(id), read(id)]);
        await sessions.endSession(uid, 'ended_by_user');
        late.authorizations!.app = { sid: 's', grantId: 'g' };
        await expect(write(id, late)).rejects.toThrow(errors.AccessDenied);
        await expect(write(id, { ...stronger, acr: 'urn:2' })).rejects.toThrow(errors.AccessDenied);
        await write(id, unchanged);
        expect(await read(id)).toBeUndefined();
        expect(await sessions.find(uid)).toBeUndefined();
      });

      it('trap 5: the session of a stopped account is hidden', async () => {
        const { uid, id } = await signIn();
        await sessions.endAllOf(accountId, 'user.suspended');
        expect(await read(id)).toBeUndefined();
        expect(await model('Session').findByUid(uid)).toBeUndefined();
      });

      it('a session is written to the registry only when something changed or a minute passed', async () => {
        const { uid, id } = await signIn();
        const { seenAt } = (await sessions.find(uid))!;
        clock.pass(30);
        await write(id, await read(id));
        expect((await sessions.find(uid))!.seenAt).toEqual(seenAt);
        clock.pass(31);
        await write(id, await read(id));
        expect((await sessions.find(uid))!.seenAt.getTime()).toBeGreaterThan(seenAt.getTime() + 60_000);
      });

      it('a session that expired is gone', async () => {
        const { uid } = await signIn();
        clock.pass(15 * day);
        expect(await sessions.find(uid)).toBeUndefined();
        expect(await sessions.listOf(accountId)).toEqual([]);
      });
    });

    describe('ending', () => {
      it('ends every session, grant and token of an account, and says which applications were part', async () => {
        const grantId = await grant();
        const offline = await grant();
        const id = await refreshToken({ grantId: offline });
        const one = await signIn({ app: { sid: 's1', grantId } });
        const two = await signIn({ app: { sid: 's2', grantId: offline, persistsLogout: true } as never });
        const ended = await sessions.endAllOf(accountId, 'user.suspended');
        expect(ended.map(({ sessionUid, sid }) => [sessionUid, sid]).sort()).toEqual(
          [
            [one.uid, 's1'],
            [two.uid, 's2'],
          ].sort(),
        );
        expect(await model('RefreshToken').find(id)).toBeUndefined();
        expect(await sessions.listOf(accountId)).toEqual([]);
        expect(await sessions.grantsOf(accountId)).toEqual([]);
      });

      it('can spare the session at hand, with its grants', async () => {
        const [kept, other] = await Promise.all([grant(), grant()]);
        const mine = await signIn({ app: { sid: 's1', grantId: kept } });
        await signIn({ app: { sid: 's2', grantId: other } });
        await sessions.endAllOf(accountId, 'password.changed', { except: mine.uid });
        expect((await sessions.listOf(accountId)).map(({ uid }) => uid)).toEqual([mine.uid]);
        expect((await sessions.grantsOf(accountId)).map(({ id }) => id)).toEqual([kept]);
      });

      it("cannot be made to spare another account's session", async () => {
        const mine = await signIn({ app: { grantId: await grant() } });
        const before = accountId;
        accountId = newId();
        const theirs = await signIn();
        await sessions.endAllOf(before, 'password.changed', { except: theirs.uid });
        expect(await sessions.find(mine.uid)).toBeUndefined();
        expect(await sessions.grantsOf(before)).toEqual([]);
        expect(await sessions.find(theirs.uid)).toBeDefined();
      });

      it('ending one session ends its grants, but not one with offline access', async () => {
        const [bound, offline] = await Promise.all([grant(), grant()]);
        const { uid } = await signIn({
          app: { sid: 's1', grantId: bound },
          sync: { sid: 's2', grantId: offline, persistsLogout: true },
        } as never);
        expect(await sessions.endSession(uid, 'ended_by_user')).toHaveLength(2);
        expect(await sessions.isGrantLive(bound)).toBe(false);
        expect(await sessions.isGrantLive(offline)).toBe(true);
      });

      it('nothing ends when the transaction around it does not commit', async () => {
        const grantId = await grant();
        const { id } = await signIn({ app: { grantId } });
        const rolledBack = db.transact(async () => {
          await sessions.endAllOf(accountId, 'user.suspended');
          throw new Error('no');
        });
        await expect(rolledBack).rejects.toThrow('no');
        expect(await model('Session').find(id)).toBeDefined();
        expect(await sessions.isGrantLive(grantId)).toBe(true);
      });

      it('remembers a revoked JWT until it would have expired', async () => {
        const jti = randomId();
        expect(await sessions.isJwtRevoked(jti)).toBe(false);
        await sessions.revokeJwt(jti, new Date(clock.now().getTime() + 60_000));
        await sessions.revokeJwt(jti, new Date(clock.now().getTime() + 60_000));
        expect(await sessions.isJwtRevoked(jti)).toBe(true);
        clock.pass(61);
        expect(await sessions.isJwtRevoked(jti)).toBe(false);
      });
    });

    describe('losing the fleeting half', () => {
      it('loses no grant, no refresh token, and none of the tokens bound to a session', async () => {
        const grantId = await grant();
        const { uid, id } = await signIn({ app: { sid: 's1', grantId } });
        const token = await refreshToken({ grantId, sessionUid: uid, expiresWithSession: true });
        await store.flush(db);
        expect(await model('Session').find(id)).toBeUndefined();
        expect(await model('Grant').find(grantId)).toBeDefined();
        expect(await model('RefreshToken').find(token)).toMatchObject({ sessionUid: uid });
        expect(await model('Session').findByUid(uid)).toMatchObject({
          uid,
          accountId,
          loginTs: expect.any(Number),
          authorizations: { app: { sid: 's1', grantId } },
        });
      });
    });

    describe('fleeting values', () => {
      it('live as long as they are told', async () => {
        await sessions.fleeting.put('attempt', 'one', { step: 1 }, 60);
        await sessions.fleeting.put('attempt', 'one', { step: 2 }, 60);
        expect(await sessions.fleeting.get('attempt', 'one')).toEqual({ step: 2 });
        expect(await sessions.fleeting.get('other', 'one')).toBeUndefined();
        clock.pass(61);
        expect(await sessions.fleeting.get('attempt', 'one')).toBeUndefined();
        expect(await sessions.fleeting.take('attempt', 'one')).toBeUndefined();
      });

      it('of 64 that take one at once exactly one gets it', async () => {
        const id = randomId();
        await sessions.fleeting.put('code', id, 'value', 60);
        const got = await Promise.all(times(64, () => sessions.fleeting.take('code', id)));
        expect(got.filter((value) => value === 'value')).toHaveLength(1);
      });

      it('of 64 that add one at once exactly one does, and again once it has expired', async () => {
        const id = randomId();
        const added = await Promise.all(times(64, () => sessions.fleeting.add('mark', id, true, 60)));
        expect(added.filter(Boolean)).toHaveLength(1);
        clock.pass(61);
        expect(await sessions.fleeting.add('mark', id, true, 60)).toBe(true);
        await sessions.fleeting.remove('mark', id);
        expect(await sessions.fleeting.get('mark', id)).toBeUndefined();
      });
    });

    it('clean-up deletes what expired or ended long ago, and nothing else', async () => {
      for (const table of ['session', 'authorization_grant', 'registration_token', 'revoked_jwt']) {
        await db.query(`delete from ${table}`);
      }
      const [ended, expired] = await Promise.all([grant(), save('Grant', { accountId, clientId: 'app' }, 60)]);
      const used = await refreshToken();
      await model('RefreshToken').consume(used);
      await sessions.endGrant(ended, 'revoked');
      await signIn();
      await sessions.revokeJwt(randomId(), new Date(clock.now().getTime() + 60_000));
      await save('InitialAccessToken', {}, 60);
      expect(await sessions.cleanUp()).toMatchObject({ grants: 0, refreshTokens: 0, sessions: 0, revokedJwts: 0 });
      clock.pass(2 * day);
      expect(await sessions.cleanUp()).toMatchObject({ grants: 2, revokedJwts: 1, registrationTokens: 1, sessions: 0 });
      expect(await sessions.isGrantLive(expired)).toBe(false);
      clock.pass(20 * day);
      const last = await sessions.cleanUp();
      expect(last.sessions).toBeGreaterThanOrEqual(1);
      expect(last.grants).toBeGreaterThanOrEqual(1);
      expect(await db.query('select 1 from refresh_token')).toEqual([]);
      expect(await db.query('select 1 from fleeting')).toEqual([]);
    });
  });
}
