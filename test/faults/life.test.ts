import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import { type Cardea, freePorts, startCardea } from '../support/cardea.ts';
import { told } from '../support/command.ts';
import { freshDatabase } from '../support/database.ts';
import { bootstrap, clients, ORDERS, STOCK } from '../support/seeds.ts';
import { tokenClient } from '../support/token-client.ts';

// The life of the real entry point: power cuts, a second start, stopping, several processes, the bootstrap file.

const root = join(import.meta.dirname, '../..');
const settings = { demo: { enabled: false } };
const home = mkdtempSync(join(tmpdir(), 'cardea-life-'));
// As root, the database's user has to reach it.
chmodSync(home, 0o711);
afterAll(() => rmSync(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }));

/** Starts the entry point where it is expected to end by itself. */
async function startAndEnd(env: Record<string, string>): Promise<{ code: number | null; said: string }> {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, ['src/main.ts'], {
    cwd: root,
    env: { PATH, HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const late = setTimeout(() => child.kill('SIGKILL'), 20_000);
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  clearTimeout(late);
  return { code, said: out + err };
}

it('a data directory survives kill -9; a second start on it says who is there and ends with 1', async () => {
  const [port] = await freePorts(1);
  const env = {
    DATABASE_URL: '',
    CARDEA_DATA: join(home, 'data'),
    CARDEA_ISSUER: `http://localhost:${port}`,
    PORT: String(port),
  };
  const first = await startCardea({ settings, bootstrap, env });
  const web = tokenClient(first.issuer, clients.web);
  const { refresh_token } = await web.signIn({ parameters: { scope: 'openid offline_access' } });

  const [otherPort] = await freePorts(1);
  const second = await startAndEnd({ ...first.env, PORT: String(otherPort) });
  expect(second.code).toBe(1);
  expect(second.said).toMatch(/runs on .*data already \(process \d+\)/);
  expect(second.said).not.toMatch(/\bat .*\.ts:\d+/);
  expect((await fetch(`${first.issuer}/health/ready`)).status).toBe(200);

  await first.kill();
  const started = performance.now();
  const again = await startCardea({ settings, env });
  expect(performance.now() - started).toBeLessThan(15_000);
  expect(await web.refresh(refresh_token)).toMatchObject({ status: 200 });
  // A command shares the database of the Cardea that runs.
  expect(await told(again, 'client', 'list')).toHaveLength(bootstrap.clients.length);
  expect(await again.stop()).toBe(0);

  const third = await startCardea({ settings, env });
  expect(
    (await tokenClient(third.issuer, clients.service).credentials({ resource: ORDERS, scope: 'orders:read' })).status,
  ).toBe(200);
  expect(await third.stop()).toBe(0);
}, 120_000);

it('stopping lets requests in flight end, takes no new ones, and ends with 0', async () => {
  const cardea = await startCardea({ settings, bootstrap });
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    resource: STOCK,
    scope: 'stock:read',
  }).toString();
  const { client_id, client_secret } = clients.service;
  let begin = () => {};
  const answered = new Promise<{ status: number; connection: string | undefined }>((resolve, reject) => {
    const asked = request(`${cardea.issuer}/token`, {
      method: 'POST',
      agent: false,
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'content-length': body.length,
        authorization: `Basic ${btoa(`${client_id}:${encodeURIComponent(client_secret)}`)}`,
      },
    });
    asked.on('error', reject).on('response', (response) => {
      response.resume();
      resolve({ status: response.statusCode!, connection: response.headers.connection });
    });
    asked.write(body.slice(0, 10));
    begin = () => asked.end(body.slice(10));
  });
  await sleep(200);
  const stopped = cardea.stop();
  await expect
    .poll(
      () =>
        fetch(`${cardea.issuer}/health/live`).then(
          () => 'answers',
          () => 'closed',
        ),
      { timeout: 5_000 },
    )
    .toBe('closed');
  begin();
  expect(await answered).toMatchObject({ status: 200 });
  expect(await stopped).toBe(0);
  expect(cardea.logs()).not.toMatch(/patience ended|did not stop cleanly/);
});

it('started by npm, it ends with the shell that npm has put between', async () => {
  const { url, drop } = await freshDatabase();
  const [port] = await freePorts(1);
  const { PATH = '', HOME = '' } = process.env;
  const file = join(home, 'npm.yaml');
  writeFileSync(file, stringify(settings));
  const shell = spawn('sh', ['-c', `"${process.execPath}" src/start.js >&2 & echo $!; wait`], {
    cwd: root,
    env: {
      ...{ PATH, HOME, npm_lifecycle_event: 'start', PORT: String(port), DATABASE_URL: url },
      ...{ CARDEA_ISSUER: `http://localhost:${port}`, CARDEA_DATA: join(home, 'npm'), CARDEA_CONFIG: file },
    },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [pid] = await once(shell.stdout, 'data');
  onTestFinished(async () => {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // As it should be: it has ended.
    }
    await drop();
  });
  const state = () =>
    fetch(`http://localhost:${port}/health/ready`).then(
      ({ status }) => status,
      () => 'closed',
    );
  await expect.poll(state, { timeout: 30_000 }).toBe(200);
  shell.kill('SIGKILL');
  await expect.poll(state, { timeout: 15_000 }).toBe('closed');
}, 60_000);

it('a cluster of two processes serves as one and stops as one', async () => {
  const cardea = await startCardea({ settings, bootstrap, env: { CARDEA_PROCESSES: '2', CARDEA_LOG_LEVEL: 'info' } });
  const web = tokenClient(cardea.issuer, clients.web);
  const { refresh_token } = await web.signIn({ parameters: { scope: 'openid offline_access' } });
  const answers = await Promise.all(Array.from({ length: 16 }, () => web.refresh(refresh_token)));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(new Set(answers.map(({ body }) => body.refresh_token)).size).toBe(1);
  for (let tries = 0; tries < 20; tries++) expect(await alone(`${cardea.issuer}/jwks`)).toBe(200);
  expect(cardea.logs()).toContain('worker 1');
  expect(cardea.logs()).toContain('worker 2');
  expect(await cardea.stop()).toBe(0);
  expect(cardea.logs()).not.toMatch(/"level":(50|60)|"level":"(error|fatal)"/);
  await expect(alone(`${cardea.issuer}/health/live`)).rejects.toThrow();
});

/** On a connection of its own. */
const alone = (url: string) =>
  new Promise<number>((resolve, reject) => {
    request(url, { agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    })
      .on('error', reject)
      .end();
  });

describe('the bootstrap file', () => {
  const changesIn = (cardea: Cardea) =>
    [...cardea.logs().matchAll(/"changes":(\[[^\]]*\])/g)].map(([, list]) => JSON.parse(list!) as string[]);
  let cardea: Cardea;
  beforeAll(async () => {
    cardea = await startCardea({ settings, bootstrap, env: { CARDEA_LOG_LEVEL: 'info' } });
  });
  afterAll(() => cardea?.stop());

  it('says what it changed at the first start, and changes nothing at the second', async () => {
    const [first] = changesIn(cardea);
    expect(first).toEqual(expect.arrayContaining(['client web added', `resource server ${ORDERS}`]));
    expect(first).toHaveLength(bootstrap.clients.length + bootstrap.resource_servers.length + bootstrap.users.length);
    const before = await everyRow(cardea);
    const again = await startCardea({ beside: cardea });
    expect(changesIn(again)).toEqual([[]]);
    expect(again.logs()).toMatch(/Bootstrap +nothing to change/);
    expect(cardea.logs()).toMatch(/Bootstrap +resource server/);
    expect(await again.stop()).toBe(0);
    expect(await everyRow(cardea)).toEqual(before);
  });

  it('does not undo what became of a person, and follows what the file says of a client', async () => {
    await told(cardea, 'user', 'suspend', 'grace@example.com');
    const file = join(home, 'changed.yaml');
    const changed = {
      ...bootstrap,
      clients: [{ ...clients.web, client_name: 'Renamed' }, ...bootstrap.clients.slice(1)],
    };
    writeFileSync(file, stringify(changed));
    expect(await told(cardea, 'apply', file)).toEqual({ changes: ['client web updated'] });
    expect(await told(cardea, 'apply', file)).toEqual({ changes: [] });
    expect(await told(cardea, 'user', 'show', 'grace@example.com')).toMatchObject({ state: 'Suspended' });
  });

  it('with faults tells them all, and nothing of it is applied', async () => {
    const bad = {
      users: [{ email: 'not an address', state: 'Sleeping' }],
      clients: [{ client_id: 'with space' }],
      resource_servers: [{ identifier: 'no-url' }],
      colour: 'blue',
    };
    const file = join(home, 'bad.yaml');
    writeFileSync(file, stringify(bad));
    const [port] = await freePorts(1);
    const first = await startAndEnd({ ...cardea.env, PORT: String(port), CARDEA_BOOTSTRAP: file });
    expect(first.code).toBe(1);
    for (const fault of [
      'users.0.email',
      'users.0.state',
      'clients.0.client_id',
      'resource_servers.0.identifier',
      'colour',
    ])
      expect(first.said).toContain(fault);
    expect(first.said).not.toMatch(/\bat .*\.ts:\d+/);

    const weak = {
      users: [{ email: 'twice@example.com' }, { email: 'Twice@Example.com' }],
      clients: [
        { client_id: 'fresh', redirect_uris: ['https://app.example/#fragment'] },
        { client_id: 'other-fresh', client_secret: 'short', redirect_uris: ['https://app.example/'] },
      ],
    };
    writeFileSync(file, stringify(weak));
    const second = await startAndEnd({ ...cardea.env, PORT: String(port), CARDEA_BOOTSTRAP: file });
    expect(second.code).toBe(1);
    for (const fault of [
      /twice@example.com is there twice/i,
      /clients.0 \(fresh\).*redirect_uri/,
      /clients.1.client_secret/,
    ])
      expect(second.said).toMatch(fault);
    const ids = ((await told(cardea, 'client', 'list')) as { client_id: string }[]).map(({ client_id }) => client_id);
    expect(ids).not.toContain('fresh');
    expect(ids).not.toContain('other-fresh');
  });
});

/** What an installation is made of, as it is stored. */
async function everyRow(cardea: Cardea): Promise<unknown> {
  const tables = ['client', 'client_secret', 'resource_server', 'user_account', 'signing_key'];
  return Promise.all(tables.map((table) => cardea.sql(`select t::text from ${table} t order by 1`)));
}
