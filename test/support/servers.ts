import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestProject } from 'vitest/node';
import { startEmbedded } from '../../src/platform/db/embedded.ts';
import { readPostmaster } from '../../src/platform/db/embedded-postmaster.ts';
import { silentLog } from '../../src/platform/log.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The server's own database `postgres`; tests take theirs from `freshDatabase()`. */
    databaseUrl: string;
    /** Empty when there is no Redis: `it.skipIf(!inject('redisUrl'))`. */
    redisUrl: string;
    /** Three masters, separated by commas; empty when there is no Redis. */
    redisClusterUrl: string;
  }
}

interface Run {
  home: string;
  stops: (() => Promise<void>)[];
  /** Has the server ended when this process dies without a chance to. */
  watch(pid: number | undefined, signal: NodeJS.Signals): void;
}

/** The servers of a test run, started once before it and stopped after it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const home = mkdtempSync(join(tmpdir(), 'cardea-test-'));
  // As root, the database's user has to reach what lies in it.
  chmodSync(home, 0o711);
  const janitor = spawn(process.execPath, [join(import.meta.dirname, 'janitor.ts'), home], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  janitor.stdin.on('error', () => {});
  const run: Run = { home, stops: [], watch: (pid, signal) => void janitor.stdin.write(`${pid} ${signal}\n`) };
  const stopAll = async () => {
    for (const stop of run.stops.reverse()) await stop();
    janitor.stdin.end('stopped\n');
    rmSync(home, { recursive: true, force: true });
  };
  try {
    const [databaseUrl, redis] = await Promise.all([startPostgres(run), startRedis(run)]);
    project.provide('databaseUrl', databaseUrl);
    project.provide('redisUrl', redis.single);
    project.provide('redisClusterUrl', redis.cluster);
  } catch (error) {
    await stopAll();
    throw error;
  }
  return stopAll;
}

async function startPostgres({ home, stops, watch }: Run): Promise<string> {
  const settings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '400' };
  const dataDir = join(home, 'data');
  const embedded = await startEmbedded({ dataDir, log: silentLog, settings });
  stops.push(embedded.stop);
  watch(readPostmaster(join(dataDir, 'postgres'))?.pid, 'SIGQUIT');
  return embedded.url.replace(/[^/]*$/, 'postgres');
}

/** One server and a cluster of three; `REDIS_URL` is for Cardea, tests bring their own and may flush it. */
async function startRedis({ home, stops, watch }: Run): Promise<{ single: string; cluster: string }> {
  if (!isInstalled('redis-server')) {
    const line = '!'.repeat(100);
    process.stderr.write(
      `\n${line}\nredis-server is not on PATH: the tests that need Redis are SKIPPED.\n` +
        `Install it to run them: "apt-get install redis-server" or "brew install redis".\n${line}\n\n`,
    );
    return { single: '', cluster: '' };
  }
  const ports = await freePorts(4);
  const servers = ports.map((port, index) => startRedisServer(home, port, index > 0));
  for (const { pid } of servers) watch(pid, 'SIGKILL');
  stops.push(async () => {
    await Promise.all(servers.map(stopProcess));
  });
  await Promise.all(ports.map((port) => command(port, 'PING', 30_000)));
  const [single, ...nodes] = ports as [number, number, number, number];
  await formCluster(nodes);
  return { single: redisUrl(single), cluster: nodes.map(redisUrl).join(',') };
}

const redisUrl = (port: number) => `redis://127.0.0.1:${port}`;

function startRedisServer(home: string, port: number, cluster: boolean): ChildProcess {
  const mode = cluster
    ? ['--cluster-enabled', 'yes', '--cluster-config-file', `nodes-${port}.conf`, '--cluster-node-timeout', '5000']
    : [];
  return spawn(
    'redis-server',
    ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', home, ...mode],
    { stdio: 'ignore' },
  );
}

/** What `redis-cli --cluster create` does, without its seconds of waiting. */
async function formCluster(ports: number[]): Promise<void> {
  const slots = 16_384;
  const ends = ports.map((_, index) => Math.round(((index + 1) * slots) / ports.length));
  await Promise.all(
    ports.map((port, index) =>
      command(port, `CLUSTER ADDSLOTSRANGE ${ends[index - 1] ?? 0} ${(ends[index] ?? 0) - 1}`),
    ),
  );
  await Promise.all(ports.map((port, index) => command(port, `CLUSTER SET-CONFIG-EPOCH ${index + 1}`)));
  for (const port of ports.slice(1)) await command(port, `CLUSTER MEET 127.0.0.1 ${ports[0]}`);
  const isWhole = (answer: string) =>
    answer.includes('cluster_state:ok') &&
    answer.includes(`cluster_known_nodes:${ports.length}`) &&
    answer.includes(`cluster_size:${ports.length}`);
  const deadline = Date.now() + 30_000;
  for (const port of ports) {
    while (!isWhole(await command(port, 'CLUSTER INFO'))) {
      if (Date.now() > deadline) throw new Error('the Redis cluster for the tests does not come together');
      await sleep(50);
    }
  }
}

/** One command over a connection of its own, asked again until somebody answers. */
async function command(port: number, line: string, patience = 5_000): Promise<string> {
  const deadline = Date.now() + patience;
  for (;;) {
    try {
      return await new Promise<string>((resolve, reject) => {
        const socket = createConnection({ port, host: '127.0.0.1' });
        socket.setTimeout(5_000, () => socket.destroy(new Error('no answer')));
        socket.once('error', reject);
        socket.once('data', (data) => {
          socket.destroy();
          if (data[0] === 0x2d) reject(new Error(`redis: ${line}: ${data}`));
          else resolve(data.toString());
        });
        socket.write(`${line}\r\n`);
      });
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(50);
    }
  }
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGKILL');
  await ended;
}

/** A cluster node takes its port plus 10000 as well: the port has to be below 55536. */
async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = 20_000 + Math.floor(Math.random() * 20_000);
    if ((await isFree(port)) && (await isFree(port + 10_000))) found.add(port);
  }
  return [...found];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function isInstalled(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
