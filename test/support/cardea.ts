import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inject } from 'vitest';
import { stringify } from 'yaml';
import { freshDatabase, onDatabase } from './database.ts';
import { ownSecret } from './secret.ts';

const root = join(import.meta.dirname, '../..');

export interface Letter {
  id: string;
  to: string;
  letter: string;
  subject: string;
  text: string;
  html: string;
  /** The first address in the letter. */
  link: string;
  /** What is to be typed, when the letter offers that. */
  code: string;
}

export interface CardeaOptions {
  env?: Record<string, string>;
  /** As in a file of settings; the ports and generous limits are there already. */
  settings?: { limits?: Record<string, unknown>; [name: string]: unknown };
  /** Keep the fleeting half in the test run's Redis. */
  redis?: boolean;
  /** What CARDEA_BOOTSTRAP's file says. */
  bootstrap?: object;
  /** Another process on the same database and secrets: what `startCardea` gave for the first. */
  beside?: Cardea;
  /** Milliseconds until it must be ready. */
  patience?: number;
}

export interface Cardea {
  issuer: string;
  /** Where the demo application answers. */
  demo: string;
  /** The one-time link to create the first administrator, once it was printed. */
  setupLink(): Promise<string>;
  mailbox: {
    /** The newest letters to an address, newest first. */
    list(to: string): Promise<Letter[]>;
    /** Waits for a letter to this address that is of this kind and was not given out before. */
    next(to: string, letter?: string): Promise<Letter>;
  };
  /** All it printed. */
  logs(): string;
  env: Record<string, string>;
  /** Of the first process. */
  pid: number;
  databaseUrl: string;
  /** Straight to the database: to age what would take too long to grow old. */
  sql<Row>(text: string, params?: unknown[]): Promise<Row[]>;
  /** Changes the sessions of an account, and lets all who remember them hear of it. @param change as `acr = 'x'` */
  alterSessions(accountId: string, change: string): Promise<void>;
  /** SIGTERM, and the exit code. Drops the database unless it is another's. */
  stop(): Promise<number | null>;
  /** As a power cut: SIGKILL. */
  kill(): Promise<void>;
}

/** All that tests do comes from one address; those that are about limits set their own. */
const generous = Object.fromEntries(
  [
    'signin_pair',
    'signin_account',
    'signin_device',
    'signin_address',
    'registrations',
    'registrations_suspicious',
    'letters_to_recipient',
    'letters_from_address',
    'codes',
    'wrong_codes',
    'user_codes',
    'codes_by_letter',
    'sms_to_number',
    'sms_to_account',
    'sms_from_address',
    'sms_to_prefix',
    'sms_per_day',
    'client_failures',
    'client_failures_pair',
    'client_failures_everywhere',
    'client_requests',
    'page_requests',
    'api_requests',
  ].map((name) => [name, { points: 100_000, window: '1h' }]),
);

/** Starts the real entry point in a process of its own, on a database, ports and a data directory of its own. */
export async function startCardea(options: CardeaOptions = {}): Promise<Cardea> {
  const { beside, patience = 40_000 } = options;
  const home = mkdtempSync(join(tmpdir(), 'cardea-run-'));
  const database = beside ? { url: beside.databaseUrl, drop: async () => {} } : await freshDatabase();
  const [port, demoPort] = await freePorts(2);
  const env: Record<string, string> = {
    ...(beside?.env ?? {
      CARDEA_ISSUER: `http://localhost:${port}`,
      CARDEA_SECRET: options.redis ? ownSecret() : 'for-tests-only-2f9c1b7e4a8d6053-and-long-enough',
      CARDEA_CONFIG: join(home, 'settings.yaml'),
      CARDEA_DATA: join(home, 'data'),
    }),
    PORT: String(port),
    DATABASE_URL: database.url,
    ...(options.redis && { REDIS_URL: inject('redisUrl') }),
    ...options.env,
  };
  if (!beside) {
    const settings = {
      demo: { enabled: true, port: demoPort },
      captcha: { when: 'never' },
      ...options.settings,
      limits: { ...generous, ...options.settings?.limits },
    };
    writeFileSync(env.CARDEA_CONFIG!, stringify(settings));
  }
  if (options.bootstrap) {
    env.CARDEA_BOOTSTRAP = join(home, 'bootstrap.yaml');
    writeFileSync(env.CARDEA_BOOTSTRAP, stringify(options.bootstrap));
  }
  const issuer = env.CARDEA_ISSUER!;
  const wantsDemo = !beside && (options.settings?.demo as { enabled?: boolean } | undefined)?.enabled !== false;
  const { child, output, ended } = run(env);
  const seen = new Set<string>();

  const finish = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    const code = await ended;
    await database.drop();
    rmSync(home, { recursive: true, force: true });
    return code;
  };

  const printed = async (what: RegExp): Promise<string> => {
    for (let left = 200; left > 0; left--) {
      const found = output().match(what);
      if (found) return found[1]!;
      await sleep(50);
    }
    throw new Error(`it never printed ${what}:\n${output()}`);
  };

  const list = async (to: string): Promise<Letter[]> => {
    const response = await fetch(`${issuer}/dev/mailbox.json?${new URLSearchParams({ to })}`);
    const { letters } = (await response.json()) as { letters: Omit<Letter, 'link' | 'code'>[] };
    return letters.map((letter) => ({
      ...letter,
      link: letter.text.match(/https?:\/\/\S+/)?.[0] ?? '',
      code: letter.text.match(/^\s*(\d[\d ]{4,10}\d)\s*$/m)?.[1]?.replaceAll(' ', '') ?? '',
    }));
  };

  const cardea: Cardea = {
    issuer,
    demo: beside?.demo ?? `http://localhost:${demoPort}`,
    setupLink: () => printed(/(http\S+\/setup\S*)/),
    mailbox: {
      list,
      async next(to, kind) {
        for (let left = 150; left > 0; left--) {
          const letter = (await list(to)).find(({ id, letter }) => !seen.has(id) && (!kind || letter === kind));
          if (letter) {
            seen.add(letter.id);
            return letter;
          }
          await sleep(100);
        }
        throw new Error(
          `no letter ${kind ?? ''} to ${to}; there are ${JSON.stringify((await list(to)).map((l) => l.letter))}\n${output()}`,
        );
      },
    },
    logs: output,
    env,
    pid: child.pid!,
    databaseUrl: env.DATABASE_URL!,
    sql: async (text, params) => (await onDatabase(env.DATABASE_URL!, (client) => client.query(text, params))).rows,
    async alterSessions(accountId, change) {
      await onDatabase(env.DATABASE_URL!, async (client) => {
        await client.query(`update session set ${change} where account_id = $1`, [accountId]);
        await client.query(
          `with head as (update stop_head set n = n + 1 returning n)
           insert into stop_journal (n, names, at) select n, array['holder:' || $1::text], now() from head`,
          [accountId],
        );
      });
      // Whoever reads the copy of the journal in Redis looks at the journal itself this often.
      await sleep(2_100);
    },
    stop: () => finish('SIGTERM'),
    kill: async () => void (await finish('SIGKILL')),
  };

  try {
    // By address of this process, so that a second one beside the first is asked itself.
    await ready(`${env.TLS_CERT_FILE ? 'https' : 'http'}://localhost:${env.PORT}/health/ready`, child, patience);
    if (wantsDemo) await ready(cardea.demo, child, patience);
  } catch (error) {
    await finish('SIGKILL');
    throw new Error(`${(error as Error).message}\n${output()}`);
  }
  return cardea;
}

function run(env: Record<string, string>) {
  const { PATH = '', HOME = '', TMPDIR = '' } = process.env;
  // Nothing of this process's surroundings but what any program needs: NODE_ENV and the like would change what runs.
  const child = spawn(process.execPath, ['src/main.ts'], {
    cwd: root,
    env: { PATH, HOME, ...(TMPDIR && { TMPDIR }), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (process.env.SHOW_LOGS) process.stderr.write(chunk);
    });
  }
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return { child, output: () => text, ended };
}

async function ready(url: string, child: ChildProcess, patience: number): Promise<void> {
  for (const end = Date.now() + patience; Date.now() < end; await sleep(50)) {
    if (child.exitCode !== null) throw new Error(`Cardea ended with ${child.exitCode} at its start`);
    const status = await fetch(url).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return;
  }
  throw new Error(`Cardea was not ready after ${patience} ms`);
}

/** Ports nobody has now; the next to ask gets others, as they are held together. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
