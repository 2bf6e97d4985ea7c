import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { SMTPServer } from 'smtp-server';
import { stringify } from 'yaml';
import { startEmbedded } from '../../src/platform/db/index.ts';
import { silentLog } from '../../src/platform/index.ts';
import { answered, family, freePort, type Running, start } from './processes.ts';
import { bootstrap, issuer } from './seeds.ts';

export type Store = 'postgres' | 'redis';

/** A server that is asked: one of ours or one it is compared with. */
export interface Target {
  name: string;
  kind: 'ours' | 'reference' | 'ceiling';
  port: number;
  pid: number;
  /** With its workers. */
  pids(): number[];
  /** What it printed, for when it fails. */
  said(): string;
  stop(): Promise<void>;
}

export interface CardeaOptions {
  store: Store;
  /** Processes that serve, or `cores`. */
  processes?: number | 'cores';
  settings?: Record<string, unknown>;
  env?: Record<string, string>;
  /** Another one than those that differ in nothing else. */
  key?: string;
}

const generous = Object.fromEntries(
  [
    ...['signin_pair', 'signin_account', 'signin_device', 'signin_address', 'codes', 'client_failures'],
    ...['client_requests', 'page_requests'],
  ].map((name) => [name, { points: 1_000_000, window: name.endsWith('requests') ? '1s' : '1h' }]),
);

/** Where the benchmarks take place: PostgreSQL as Cardea brings it along, durable as always, and Redis when it is there. */
export async function openPlace() {
  const home = mkdtempSync(join(tmpdir(), 'cardea-bench-'));
  // As root, the database's user has to reach what lies in it.
  chmodSync(home, 0o711);
  const stops = new Set<() => Promise<unknown>>();
  const embedded = await startEmbedded({ dataDir: join(home, 'data'), log: silentLog });
  const redis = await startRedis();
  const letters = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    onData: (stream, _session, done) => void stream.resume().on('end', done),
  });
  await new Promise<void>((resolve) => letters.listen(0, '127.0.0.1', resolve));
  const smtp = `smtp://127.0.0.1:${(letters.server.address() as { port: number }).port}`;

  let closing: Promise<void> | undefined;
  let count = 0;
  const known = new Map<string, Promise<Target>>();

  /** The environment of a Cardea with a database of its own; nothing is started. */
  async function surroundings(options: CardeaOptions): Promise<Record<string, string>> {
    const number = ++count;
    const database = `bench_${number}`;
    await admin(embedded.url, `create database ${database}`);
    const file = (name: string, content: object) => {
      const path = join(home, `${name}-${number}.yaml`);
      writeFileSync(path, stringify(content));
      return path;
    };
    return {
      NODE_ENV: 'production',
      PORT: String(await freePort()),
      HOST: '127.0.0.1',
      CARDEA_ISSUER: issuer,
      CARDEA_SECRET: 'for-benchmarks-only-8d1f6b0c3e7a9254-and-long-enough',
      CARDEA_TRUSTED_PROXIES: 'loopback',
      // A line for each request costs what the log costs, and the reference writes none.
      CARDEA_LOG_LEVEL: 'warn',
      CARDEA_DATA: join(home, `data-${number}`),
      CARDEA_CONFIG: file('settings', {
        ...options.settings,
        captcha: { when: 'never' },
        passkeys: { offer: false },
        limits: generous,
      }),
      CARDEA_BOOTSTRAP: file('bootstrap', bootstrap),
      CARDEA_PROCESSES: String(options.processes ?? 1),
      DATABASE_URL: embedded.url.replace('/cardea?', `/${database}?`).replace(/\/cardea$/, `/${database}`),
      SMTP_URL: smtp,
      ...(options.store === 'redis' && { REDIS_URL: `${redis}/${number % 16}` }),
      ...options.env,
    };
  }

  async function startCardea(options: CardeaOptions): Promise<Target> {
    return startWith(await surroundings(options), options);
  }

  async function startWith(env: Record<string, string>, options: CardeaOptions): Promise<Target> {
    const running = start(process.execPath, ['src/start.js'], env);
    const many = options.processes && options.processes !== 1;
    const name = `${options.store === 'redis' ? 'PostgreSQL + Redis' : 'PostgreSQL'}${many ? ', one per core' : ''}`;
    return target({ name, kind: 'ours', port: Number(env.PORT), running, path: '/health/ready' });
  }

  /** On a database that another start has migrated and filled. */
  async function startAgain(options: CardeaOptions): Promise<Target> {
    const env = await surroundings(options);
    await (await startWith(env, options)).stop();
    return startWith({ ...env, CARDEA_BOOTSTRAP: '' }, options);
  }

  async function startOther(kind: 'reference' | 'ceiling', ...more: string[]): Promise<Target> {
    const port = await freePort();
    const script = [`bench/support/${kind}.ts`, String(port), ...more];
    const running = start(process.execPath, script, { NODE_ENV: 'production' });
    return target({ name: kind, kind, port, running, path: '/.well-known/openid-configuration' });
  }

  async function target(at: Pick<Target, 'name' | 'kind' | 'port'> & { running: Running; path: string }) {
    const { running, path, ...rest } = at;
    stops.add(running.stop);
    await answered(rest.port, path, running);
    const stop = () => running.stop().finally(() => stops.delete(running.stop));
    return { ...rest, pid: running.pid, pids: () => family(running.pid), said: running.said, stop };
  }

  /** Started once, at its first use. */
  const once = (key: string, make: () => Promise<Target>) => {
    if (!known.has(key)) known.set(key, make());
    return known.get(key)!;
  };

  return {
    /** Whether redis-server is on PATH. */
    hasRedis: redis !== undefined,
    surroundings,
    cardea: (options: CardeaOptions) => once(JSON.stringify(options), () => startCardea(options)),
    /** In surroundings that the caller knows. */
    cardeaIn: startWith,
    cardeaAgain: startAgain,
    otherReference: () => startOther('reference'),
    reference: () => once('reference', () => startOther('reference')),
    /** One that asks for passwords. */
    passwordReference: () => once('passwords', () => startOther('reference', 'passwords')),
    ceiling: () => once('ceiling', () => startOther('ceiling')),
    /** For what has to be measured from outside: statements straight to a database. */
    sql: admin,
    /** Once, whoever asks: at Ctrl-C the benchmark that is interrupted ends as well, and asks again. */
    close() {
      closing ??= close();
      return closing;
    },
  };

  async function close(): Promise<void> {
    await Promise.all([...stops].map((stop) => stop()));
    letters.close();
    await embedded.stop();
    rmSync(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  async function startRedis(): Promise<string | undefined> {
    if (spawnSync('redis-server', ['--version'], { stdio: 'ignore' }).status !== 0) return undefined;
    const port = await freePort();
    const running = start(
      'redis-server',
      ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
      {},
      home,
    );
    stops.add(running.stop);
    return `redis://127.0.0.1:${port}`;
  }
}

export type Place = Awaited<ReturnType<typeof openPlace>>;

async function admin(url: string, statement: string, params: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(statement, params)).rows;
  } finally {
    await client.end();
  }
}
