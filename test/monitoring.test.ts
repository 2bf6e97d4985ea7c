import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { parse } from 'yaml';
import { type Cardea, freePorts, startCardea } from './support/cardea.ts';
import { createClient } from './support/client.ts';
import { freshDatabase } from './support/database.ts';
import { freshAddress, PASSWORD, registerAndVerify } from './support/flows.ts';
import { eventually } from './support/ground.ts';
import { type Scrape, scrape } from './support/metrics.ts';
import { ADA, authorize, bootstrap, clients, createPerson, ORDERS, STOCK } from './support/seeds.ts';
import { tokenClient } from './support/token-client.ts';
import { createWalker } from './support/walker.ts';
import { startWire, wireToDatabase } from './support/wire.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 90_000 });

const redis = Boolean(inject('redisUrl'));
const root = join(import.meta.dirname, '..');

let cardea: Cardea;
let at: string;
beforeAll(async () => {
  const [port] = await freePorts(1);
  at = `http://127.0.0.1:${port}`;
  cardea = await startCardea({ bootstrap, redis, env: { CARDEA_METRICS_PORT: String(port) } });
});
afterAll(() => cardea?.stop());

/** How much each figure rose meanwhile. */
async function rise(work: () => Promise<unknown>) {
  const before = await scrape(at);
  await work();
  const after = await scrape(at);
  return (name: string, labels?: Record<string, string>) => after.value(name, labels) - before.value(name, labels);
}

describe('what is counted', () => {
  it('tokens by grant, and refusals by their error', async () => {
    const service = tokenClient(cardea.issuer, clients.service);
    const thief = tokenClient(cardea.issuer, { ...clients.service, client_secret: 'a guess' });
    const web = tokenClient(cardea.issuer, clients.web);
    const rose = await rise(async () => {
      for (const resource of [ORDERS, STOCK]) await service.token({ grant_type: 'client_credentials', resource });
      await thief.token({ grant_type: 'client_credentials' });
      const { refresh_token } = await web.signIn({ parameters: { scope: 'openid offline_access' } });
      await web.refresh(refresh_token);
      await web.redeem('no code');
    });
    expect(rose('cardea_token_grants_total', { grant_type: 'client_credentials' })).toBe(2);
    expect(rose('cardea_token_grants_total', { grant_type: 'authorization_code' })).toBe(1);
    expect(rose('cardea_token_grants_total', { grant_type: 'refresh_token' })).toBe(1);
    expect(rose('cardea_protocol_refusals_total', { endpoint: 'grant', error: 'invalid_client' })).toBe(1);
    expect(rose('cardea_protocol_refusals_total', { endpoint: 'grant', error: 'invalid_grant' })).toBe(1);
    expect(rose('cardea_http_requests_total', { method: 'POST', route: '/token', status: '2xx' })).toBe(4);
    expect(rose('cardea_http_requests_total', { method: 'POST', route: '/token', status: '4xx' })).toBe(2);
    expect(rose('cardea_http_request_duration_seconds_count', { route: '/token' })).toBe(6);
    expect(rose('cardea_cache_hits_total', { cache: 'clients' })).toBeGreaterThan(0);
  });

  it('introspections by what was asked and answered', async () => {
    const service = tokenClient(cardea.issuer, clients.service);
    const orders = tokenClient(cardea.issuer, clients.orders);
    const ask = (by: typeof orders, token: unknown) => by.post('/introspect', { token: String(token) });
    const rose = await rise(async () => {
      for (const resource of [ORDERS, STOCK]) {
        const { body } = await service.token({ grant_type: 'client_credentials', resource });
        expect((await ask(orders, body.access_token)).body).toMatchObject({ active: true });
      }
      await ask(orders, 'nothing-of-ours');
      await ask(orders, 'no.such.jwt');
    });
    for (const token of ['opaque', 'jwt']) {
      expect(rose('cardea_introspections_total', { token, answer: 'active' }), token).toBe(1);
      expect(rose('cardea_introspections_total', { token, answer: 'inactive' }), token).toBe(1);
    }
  });

  it('sign-ins, wrong passwords, registrations and factors, once they are committed', async () => {
    const walker = await createWalker('plain client', { browser: undefined });
    const rose = await rise(async () => {
      const person = createPerson();
      const page = await person.open(tokenClient(cardea.issuer, clients.web).authorizeUrl());
      const password = await person.submit(page, { identifier: ADA.email });
      await person.submit(password, { password: 'not what it is' });
      await authorize(tokenClient(cardea.issuer, clients.web).authorizeUrl());
      await registerAndVerify(cardea, walker, { email: freshAddress('newcomer'), password: PASSWORD });
    });
    expect(rose('cardea_signins_total', { methods: 'pwd' })).toBeGreaterThanOrEqual(1);
    expect(rose('cardea_signin_failures_total', { method: 'pwd' })).toBe(1);
    expect(rose('cardea_registrations_total')).toBe(1);
    expect(rose('cardea_factor_changes_total', { change: 'added', kind: 'password' })).toBe(1);
    expect(rose('cardea_events_total', { type: 'user.registered' })).toBe(1);
    expect(rose('cardea_password_hashing_wait_seconds_count')).toBeGreaterThanOrEqual(3);
    expect(rose('cardea_http_requests_total', { route: '/signin/:uid/:step' })).toBeGreaterThan(0);
  });

  it('how things stand: stores, pool, outbox, keys, the process', async () => {
    const now = await eventually(async () => {
      const found = await scrape(at);
      expect(found.value('cardea_database_up')).toBe(1);
      return found;
    });
    expect(now.value('cardea_database_connections')).toBeGreaterThan(0);
    expect(now.value('cardea_database_connections_max')).toBe(20);
    expect(now.names.get('cardea_outbox_oldest_age_seconds')).toContain('topic');
    for (const alg of ['ES256', 'RS256']) expect(now.value('cardea_signing_keys', { alg, stage: 'signing' })).toBe(1);
    expect(now.value('cardea_password_hashing_threads')).toBe(2);
    expect(now.value('cardea_build_info', { node: process.versions.node })).toBe(1);
    expect(now.value('process_resident_memory_bytes')).toBeGreaterThan(1e6);
    expect(now.names.has('nodejs_eventloop_lag_p99_seconds')).toBe(true);
    if (redis) expect(now.value('cardea_redis_up')).toBe(1);
  });

  it('a message that nobody delivers yet is told with its age', async () => {
    await cardea.sql(
      `insert into outbox (message, topic, payload, sealed, created_at, due_at)
       values (gen_random_uuid(), 'no-such-topic', '{}', false, now() - interval '1 hour', now())`,
    );
    const topic = { topic: 'no-such-topic' };
    const waiting = async () => (await scrape(at)).value('cardea_outbox_waiting', topic);
    await eventually(async () => expect(await waiting()).toBe(1), { timeout: 20_000, interval: 500 });
    expect((await scrape(at)).value('cardea_outbox_oldest_age_seconds', topic)).toBeGreaterThan(3_500);
    await cardea.sql(`delete from outbox where topic = 'no-such-topic'`);
  });
});

describe('what is never told', () => {
  it('people, clients, tokens, paths: labels are names of our own', async () => {
    const stranger = createClient();
    for (const path of ['/signin/00000000-0000-7000-8000-000000000000', '/secret-path', '/authorize/a/b/c/d']) {
      await stranger.open(cardea.issuer + path);
    }
    await tokenClient(cardea.issuer, clients.web).token({ grant_type: 'made-up-by-a-stranger' });
    const { text, labelValues } = await scrape(at);
    const users = await cardea.sql<{ id: string; email: string }>('select id, email from user_account');
    expect(users.length).toBeGreaterThan(3);
    for (const { id, email } of users) for (const secret of [id, email]) expect(text).not.toContain(secret);
    for (const [name, client] of Object.entries(clients)) {
      // One is called as labels call what is none of ours.
      if (client.client_id !== 'other') expect(labelValues, name).not.toContain(client.client_id);
      if ('client_secret' in client) expect(text).not.toContain(client.client_secret);
    }
    const values = [...labelValues].join('\n');
    expect(values).not.toMatch(/secret-path|made-up|[\w-]+@[\w-]+\.|[0-9a-f]{8}-[0-9a-f]{4}-|[\w-]{36,}/);
    expect(labelValues).toContain('other');
  });
});

describe('the port', () => {
  it('answers nothing else, and the public one has no figures', async () => {
    const status = async (url: string, init?: RequestInit) => (await fetch(url, init)).status;
    for (const path of ['/', '/metrics/', '/health/ready', '/token', '/.well-known/openid-configuration']) {
      expect(await status(at + path), path).toBe(404);
    }
    expect(await status(`${at}/metrics`, { method: 'POST' })).toBe(405);
    expect(await status(`${at}/metrics`, { method: 'HEAD' })).toBe(200);
    expect(await status(`${cardea.issuer}/metrics`)).toBe(404);
  });

  it('that is taken stops the start, in words', async () => {
    const failing = startCardea({ env: { CARDEA_METRICS_PORT: new URL(at).port } });
    await expect(failing).rejects.toThrow(/cannot listen on 127\.0\.0\.1:\d+: .*CARDEA_METRICS_PORT/);
  });
});

describe('alerts and dashboard', () => {
  interface Rule {
    alert: string;
    expr: string;
    labels: { severity: string };
    annotations: { summary: string };
  }
  const read = (file: string) => readFileSync(join(root, 'monitoring', file), 'utf8');
  const rules = (parse(read('alerts.yaml')) as { groups: { name: string; rules: Rule[] }[] }).groups.flatMap(
    (group) => group.rules,
  );
  const { panels } = JSON.parse(read('dashboard.json')) as {
    panels: { id: number; title: string; type: string; targets?: { expr: string }[] }[];
  };
  const queries = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [title, expr] as const));

  it('are whole', () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const { alert, labels, annotations } of rules) {
      expect(alert).toMatch(/^Cardea[A-Z]\w+$/);
      expect(['page', 'ticket']).toContain(labels.severity);
      expect(annotations.summary).not.toBe('');
    }
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const { type, targets } of panels) if (type !== 'row') expect(targets?.length).toBeGreaterThan(0);
  });

  it('ask only for what a Cardea tells, by labels it has', async () => {
    const { names } = await scrape(at);
    const unknown = [...rules.map(({ alert, expr }) => [alert, expr] as const), ...queries].flatMap(([title, expr]) =>
      problemsOf(expr, names).map((problem) => `${title}: ${problem}`),
    );
    // Without Redis or a replica there are no figures of them.
    const absent = [...(redis ? [] : ['cardea_redis_']), 'cardea_database_replica_'];
    expect(unknown.filter((line) => !absent.some((name) => line.includes(name)))).toEqual([]);
  });
});

/** What Prometheus itself adds. */
const fromPrometheus = new Set(['instance', 'job']);

/** Metrics that are not in the scrape, and labels that no series of them has. */
function problemsOf(expr: string, names: Scrape['names']): string[] {
  const metrics = new Map(
    [...expr.matchAll(/\b((?:cardea|nodejs|process)_\w+|up)\b(?:\{([^}]*)\})?/g)].map(([, name, within = '']) => [
      name!,
      within,
    ]),
  );
  const problems = metrics.size === 0 ? [`no metric in ${expr}`] : [];
  // A histogram's labels stand on each of its series; a metric without any series yet cannot be asked for its labels.
  const seen = new Set([...metrics.keys()].flatMap((name) => [...(names.get(name) ?? [])]));
  for (const [name, within] of metrics) {
    if (name === 'up') continue;
    if (!names.has(name)) problems.push(`${name} is not in the scrape`);
    const labels = [...within.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label!);
    const known = names.get(name) ?? new Set();
    for (const label of labels)
      if (!fromPrometheus.has(label) && known.size > 0 && !known.has(label))
        problems.push(`${name} has no label ${label}`);
  }
  const grouped = [...expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g)].flatMap(([, list]) =>
    list!.split(',').map((label) => label.trim()),
  );
  for (const label of grouped)
    if (!fromPrometheus.has(label) && seen.size > 0 && !seen.has(label)) problems.push(`nothing has a label ${label}`);
  return problems;
}

describe('stores out of reach', () => {
  it('are told as down, in time, and as up again', async () => {
    const database = await freshDatabase();
    const toDatabase = await wireToDatabase(database.url);
    const { hostname: host, port: redisPort } = new URL(inject('redisUrl') || 'redis://127.0.0.1:9');
    const toRedis = await startWire({ host, port: Number(redisPort) });
    const [free] = await freePorts(1);
    const port = `http://127.0.0.1:${free}`;
    const cut = await startCardea({
      settings: { demo: { enabled: false } },
      env: {
        CARDEA_METRICS_PORT: String(free),
        DATABASE_URL: toDatabase.url,
        ...(redis && { REDIS_URL: `redis://127.0.0.1:${toRedis.port}` }),
      },
    });
    const isUp = async (up: number) => {
      const started = performance.now();
      const found = await scrape(port);
      // As long as Prometheus waits for a scrape, and not half of it.
      expect(performance.now() - started).toBeLessThan(5_000);
      expect(found.value('cardea_database_up')).toBe(up);
      expect(found.names.has('cardea_redis_up')).toBe(redis);
      if (redis) expect(found.value('cardea_redis_up')).toBe(up);
      return found;
    };
    const patience = { timeout: 30_000, interval: 500 };
    try {
      await eventually(() => isUp(1), patience);
      for (const wire of [toDatabase, toRedis]) wire.silence();
      const { value } = await eventually(() => isUp(0), patience);
      expect(value('cardea_build_info')).toBe(1);
      for (const wire of [toDatabase, toRedis]) wire.mend();
      await eventually(() => isUp(1), patience);
    } finally {
      await cut.stop();
      for (const wire of [toDatabase, toRedis]) wire.stop();
      await database.drop();
    }
  }, 120_000);
});

/** Linux tells it in a file; elsewhere there is `ps`. */
function childrenOf(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  if (existsSync(file)) return readFileSync(file, 'utf8').split(' ').filter(Boolean).map(Number);
  const all = execFileSync('ps', ['-A', '-o', 'pid=,ppid=']).toString().trim().split('\n');
  return all
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([own, parent]) => (parent === pid ? [own!] : []));
}

describe('several processes', () => {
  let pair: Cardea;
  let port: string;
  beforeAll(async () => {
    const [free] = await freePorts(1);
    port = `http://127.0.0.1:${free}`;
    const env = { CARDEA_METRICS_PORT: String(free), CARDEA_PROCESSES: '2', CARDEA_LOG_LEVEL: 'info' };
    pair = await startCardea({ bootstrap, env, settings: { demo: { enabled: false } } });
  });
  afterAll(() => pair?.stop());

  it('are told as one, and what one that died had counted stays', async () => {
    const service = tokenClient(pair.issuer, clients.service);
    const granted = async () =>
      (await scrape(port)).value('cardea_token_grants_total', { grant_type: 'client_credentials' });
    const workers = await eventually(async () => {
      const found = await scrape(port);
      expect(found.value('cardea_database_connections_max')).toBe(40);
      return found;
    });
    expect(workers.value('cardea_database_up')).toBe(1);
    expect(workers.value('cardea_signing_keys', { alg: 'ES256', stage: 'signing' })).toBe(1);
    for (let i = 0; i < 20; i++) await service.token({ grant_type: 'client_credentials' });
    expect(await granted()).toBe(20);

    const pids = childrenOf(pair.pid);
    expect(pids).toHaveLength(2);
    process.kill(pids[0]!, 'SIGKILL');
    await eventually(async () => {
      expect(await granted()).toBe(20);
      // The next one serves.
      expect((await scrape(port)).value('cardea_database_connections_max')).toBe(40);
    });
    for (let i = 0; i < 10; i++) await service.token({ grant_type: 'client_credentials' });
    expect(await granted()).toBe(30);
  });
});
