import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { type Cardea, freePorts, startCardea } from '../support/cardea.ts';
import { bootstrap, clients, createPerson, STOCK } from '../support/seeds.ts';
import { tokenClient } from '../support/token-client.ts';

// A master, its replica and three sentinels of the real program: the master dies, and Cardea goes on with the new one.

describe.skipIf(!inject('redisUrl'))('Redis behind sentinels', () => {
  const home = mkdtempSync(join(tmpdir(), 'cardea-sentinel-'));
  const servers: ChildProcess[] = [];
  let ports: number[];
  let cardea: Cardea;

  const serve = (...args: string[]) => {
    const child = spawn('redis-server', args, { cwd: home, stdio: 'ignore' });
    servers.push(child);
    return child;
  };
  const ask = async <T>(port: number, work: (redis: Redis) => Promise<T>): Promise<T> => {
    const redis = new Redis({ port, host: '127.0.0.1' });
    redis.on('error', () => undefined);
    return work(redis).finally(() => redis.disconnect());
  };
  const master = (port: number) =>
    ask(port, async (redis) =>
      Number(((await redis.call('sentinel', 'get-master-addr-by-name', 'cardea')) as string[])[1]),
    );

  beforeAll(async () => {
    ports = await freePorts(5);
    const [first, second, ...watching] = ports as [number, number, ...number[]];
    const plain = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    serve('--port', String(first), ...plain);
    serve('--port', String(second), ...plain, '--replicaof', `127.0.0.1 ${first}`);
    for (const port of watching) {
      const file = join(home, `sentinel-${port}.conf`);
      writeFileSync(
        file,
        `port ${port}\nbind 127.0.0.1\nsentinel monitor cardea 127.0.0.1 ${first} 2\n` +
          'sentinel down-after-milliseconds cardea 500\nsentinel failover-timeout cardea 4000\n',
      );
      serve(file, '--sentinel');
    }
    const followed = () =>
      ask(second, async (redis) => (await redis.info('replication')).includes('master_link_status:up'));
    await vi.waitFor(async () => expect(await followed()).toBe(true), { timeout: 20_000, interval: 100 });
    for (const port of watching) {
      const known = () => ask(port, async (redis) => (await redis.info('sentinel')).includes('slaves=1,sentinels=3'));
      await vi.waitFor(async () => expect(await known()).toBe(true), { timeout: 30_000, interval: 100 });
    }
    cardea = await startCardea({
      bootstrap,
      settings: { demo: { enabled: false } },
      env: { REDIS_URL: `redis+sentinel://127.0.0.1:${watching.join(',127.0.0.1:')}/cardea/0` },
    });
  }, 120_000);
  afterAll(async () => {
    await cardea?.stop();
    for (const server of servers) server.kill('SIGKILL');
    rmSync(home, { recursive: true, force: true });
  });

  it('the master is found, and after it died the one that took its place; no grant and no refresh token is lost', async () => {
    const [first, second, watching] = ports as [number, number, number];
    expect(await master(watching)).toBe(first);
    const web = tokenClient(cardea.issuer, clients.web);
    const service = tokenClient(cardea.issuer, clients.service);
    const person = createPerson();
    const held = await web.signIn({ person, parameters: { scope: 'openid offline_access' } });
    expect(await ask(first, (redis) => redis.dbsize())).toBeGreaterThan(0);

    servers[0]!.kill('SIGKILL');
    // Meanwhile it is "try again", never "your token is worth nothing".
    const during = await web.refresh(held.refresh_token);
    expect([200, 503]).toContain(during.status);
    const works = async () => (await service.credentials({ resource: STOCK, scope: 'stock:read' })).status;
    await expect.poll(works, { timeout: 30_000 }).toBe(200);
    expect(await master(watching)).toBe(second);
    expect(await web.refresh(held.refresh_token)).toMatchObject({ status: 200 });
    const again = await web.signIn({ person: createPerson() });
    expect(await web.userinfo(again.access_token)).toMatchObject({ status: 200 });
  }, 60_000);
});
