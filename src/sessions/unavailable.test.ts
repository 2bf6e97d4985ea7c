import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { errors } from 'oidc-provider';
import { expect, inject, it, onTestFinished } from 'vitest';
import { freshDatabase } from '../../test/support/database.ts';
import { createDb } from '../platform/db/index.ts';
import { connectRedis, createVault, newId, randomToken, silentLog, systemClock } from '../platform/index.ts';
import { createSessions, StoreUnavailable } from './index.ts';

const payload = { kind: 'AccessToken', iat: 1, exp: Math.floor(Date.now() / 1000) + 60 };
const told = { statusCode: 503, error: 'temporarily_unavailable', expose: true };

const open = async (redisUrl?: string) => {
  const database = await freshDatabase();
  const wire = await cuttableWire(database.url);
  const db = await createDb({ url: wire.url, entities: [], migrations: '', log: silentLog });
  const redis = redisUrl ? await connectRedis(redisUrl, silentLog) : undefined;
  const vault = createVault('a secret for tests');
  const sessions = createSessions({ db, redis, clock: systemClock, vault, mayHold: async () => true });
  return {
    sessions,
    cut: wire.cut,
    close: async () => {
      redis?.disconnect();
      await db.close();
      wire.cut();
      await database.drop();
    },
  };
};

it('trap 19: a database out of reach is told as 503, for every model and every operation', async () => {
  const { sessions, cut, close } = await open();
  cut();
  for (const model of ['Grant', 'RefreshToken', 'AccessToken', 'AuthorizationCode', 'ReplayDetection', 'Session']) {
    const adapter = sessions.adapter(model);
    const filled = { ...payload, accountId: newId(), clientId: 'app', grantId: 'g', uid: 'u', loginTs: 1 };
    await expect(adapter.find('id')).rejects.toMatchObject(told);
    await expect(adapter.upsert('id', filled, 60)).rejects.toMatchObject(told);
  }
  const refusal = sessions.adapter('RefreshToken').consume('id');
  await expect(refusal).rejects.toBeInstanceOf(StoreUnavailable);
  await expect(refusal).rejects.not.toBeInstanceOf(errors.InvalidGrant);
  await expect(sessions.fleeting.get('attempt', 'id')).rejects.toMatchObject({ code: 'store.unavailable' });
  await close();
});

it.skipIf(!inject('redisUrl'))(
  'trap 19: a Redis that dies is told as 503 within seconds, and serves again once it is back',
  async () => {
    const port = await freePort();
    let server = await startRedis(port);
    const { sessions, close } = await open(`redis://127.0.0.1:${port}`);
    const tokens = sessions.adapter('AccessToken');
    const id = randomToken();
    await tokens.upsert(id, payload, 60);
    expect(await tokens.find(id)).toMatchObject({ jti: id });

    await stop(server);
    const began = Date.now();
    await expect(tokens.find(id)).rejects.toMatchObject(told);
    await expect(sessions.adapter('AuthorizationCode').consume(id)).rejects.toMatchObject(told);
    expect(Date.now() - began).toBeLessThan(10_000);

    server = await startRedis(port);
    await expect.poll(() => tokens.find(id).catch(() => 'down'), { timeout: 10_000 }).toBeUndefined();
    await tokens.upsert(id, payload, 60);
    expect(await tokens.find(id)).toMatchObject({ jti: id });
    await close();
  },
);

it.skipIf(!inject('redisUrl'))('trap 19: a Redis that says nothing more is told as 503, and serves again', async () => {
  const port = await freePort();
  const server = await startRedis(port);
  const { sessions, close } = await open(`redis://127.0.0.1:${port}`);
  const tokens = sessions.adapter('AccessToken');
  const id = randomToken();
  await tokens.upsert(id, payload, 60);

  server.kill('SIGSTOP');
  const began = Date.now();
  const late = wait(2_000).then(() => expect(tokens.find(id)).rejects.toMatchObject(told));
  await expect(tokens.find(id)).rejects.toMatchObject(told);
  expect(Date.now() - began).toBeLessThan(5_000);
  await late;
  expect(Date.now() - began).toBeLessThan(10_000);

  server.kill('SIGCONT');
  await expect.poll(() => tokens.find(id).catch(() => 'down'), { timeout: 10_000 }).toMatchObject({ jti: id });
  await close();
});

it('trap 19: a Redis that takes no writes is told as 503, and holds up nobody who reads', async () => {
  const wire = createServer((socket) => {
    let open = true;
    socket.on('close', () => {
      open = false;
    });
    socket.on('data', (sent) => {
      for (const [, name] of String(sent).matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g)) {
        const answer =
          name!.toLowerCase() === 'set' ? '-READONLY You can not write against a read only replica.' : '$-1';
        if (open) socket.write(name!.toLowerCase() === 'info' ? '$17\r\nredis_version:7\r\n\r\n' : `${answer}\r\n`);
      }
    });
    socket.on('error', () => {});
  }).listen(0, '127.0.0.1');
  await once(wire, 'listening');
  const { sessions, close } = await open(`redis://127.0.0.1:${(wire.address() as { port: number }).port}`);
  const tokens = sessions.adapter('AccessToken');
  const began = Date.now();
  const writing = expect(tokens.upsert(randomToken(), payload, 60)).rejects.toMatchObject(told);
  await wait(500);
  await expect(tokens.find(randomToken())).resolves.toBeUndefined();
  await writing;
  expect(Date.now() - began).toBeLessThan(7_000);
  await close();
  wire.close();
});

/** Gone with the test, however that ends. */
async function startRedis(port: number): Promise<ChildProcess> {
  const home = mkdtempSync(join(tmpdir(), 'cardea-redis-'));
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', home];
  const server = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(async () => {
    await stop(server);
    rmSync(home, { recursive: true });
  });
  for await (const text of server.stdout!) if (String(text).includes('Ready to accept')) break;
  await wait(10);
  return server;
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = once(server, 'exit');
  server.kill('SIGKILL');
  await ended;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  return port;
}

/** A way to the database that can be cut, as a network does. */
async function cuttableWire(databaseUrl: string): Promise<{ url: string; cut(): void }> {
  // The host may be a folder of Unix sockets, percent-encoded.
  const [, before, host, port, after] = /^(.*@)([^:/]+):(\d+)(\/.*)$/.exec(databaseUrl)!;
  const folder = decodeURIComponent(host!);
  const target = folder.startsWith('/') ? { path: `${folder}/.s.PGSQL.${port}` } : { host: folder, port: Number(port) };
  const sockets = new Set<Socket>();
  const wire = createServer((near) => {
    const far = connect(target);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy()).pipe(to);
    }
  }).listen(0, '127.0.0.1');
  await once(wire, 'listening');
  return {
    url: `${before}127.0.0.1:${(wire.address() as { port: number }).port}${after}`,
    cut() {
      wire.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
