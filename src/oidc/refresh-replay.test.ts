import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Adapter, type AdapterPayload, Provider } from 'oidc-provider';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freshDatabase } from '../../test/support/database.ts';
import { createDb } from '../platform/db/index.ts';
import { createVault, newId, silentLog } from '../platform/index.ts';
import { createSessions, type Sessions } from '../sessions/index.ts';
import { answerRetriedRefreshes } from './refresh-replay.ts';

const windowSeconds = 10;

describe('trap 23: retried refreshes', () => {
  let sessions: Sessions;
  let provider: Provider;
  let server: Server;
  let ahead: number;
  let closing: (() => Promise<unknown>)[];

  beforeEach(async () => {
    ahead = 0;
    const clock = { now: () => new Date(Date.now() + ahead * 1000) };
    const database = await freshDatabase();
    const migrations = join(import.meta.dirname, '../../migrations');
    const db = await createDb({ url: database.url, entities: [], migrations, log: silentLog });
    const vault = createVault('a secret for tests');
    sessions = createSessions({ db, clock, vault, mayHold: async () => true, refreshReplaySeconds: windowSeconds });
    provider = new Provider('http://127.0.0.1', {
      adapter: (model: string) => (model === 'Client' ? clients : sessions.adapter(model)),
      findAccount: async (_ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
      rotateRefreshToken: true,
      ttl: { Grant: 86_400, RefreshToken: 86_400, AccessToken: 600 },
      features: { devInteractions: { enabled: false } },
      cookies: { keys: ['cookie secret'] },
    });
    answerRetriedRefreshes(provider, { sessions, clock, windowSeconds, certificateOf: () => undefined });
    server = createServer(provider.callback()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing = [() => db.close(), () => database.drop()];
  });
  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    for (const close of closing) await close();
  });

  const clients = {
    find: async (id: string) =>
      ({
        client_id: id,
        client_secret: 'secret',
        redirect_uris: ['https://app.example/callback'],
        grant_types: ['authorization_code', 'refresh_token'],
      }) as AdapterPayload,
  } as Adapter;

  const granted = async () => {
    const accountId = newId();
    const client = (await provider.Client.find('app'))!;
    const grant = new provider.Grant({ accountId, clientId: 'app' });
    grant.addOIDCScope('profile');
    const grantId = await grant.save();
    const details = { accountId, client, grantId, scope: 'profile', gty: 'authorization_code' };
    const token = await new provider.RefreshToken(details as never).save();
    return { grantId, token };
  };
  const refresh = async (token: string, client = 'app') => {
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${client}:secret`)}` },
      body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: token }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, string> };
  };

  it('of 64 with one token at once all are given one answer, and its chain lives', async () => {
    const { token, grantId } = await granted();
    const answers = await Promise.all(Array.from({ length: 64 }, () => refresh(token)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ body }) => body.refresh_token)).size).toBe(1);
    expect(await sessions.isGrantLive(grantId)).toBe(true);
    expect((await refresh(answers[0]!.body.refresh_token!)).status).toBe(200);
  });

  it('after the window a second use is a theft and ends the grant', async () => {
    const { token, grantId } = await granted();
    const { body } = await refresh(token);
    ahead = windowSeconds;
    expect((await refresh(token)).body.error).toBe('invalid_grant');
    expect(await sessions.isGrantLive(grantId)).toBe(false);
    expect((await refresh(body.refresh_token!)).status).toBe(400);
  });

  it('another client is not given the answer, and cannot end the grant by trying', async () => {
    const { token, grantId } = await granted();
    await refresh(token);
    expect((await refresh(token, 'other')).body.error).toBe('invalid_grant');
    expect(await sessions.isGrantLive(grantId)).toBe(true);
  });
});
