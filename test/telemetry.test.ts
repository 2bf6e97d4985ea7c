import { createServer } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Cardea, startCardea } from './support/cardea.ts';
import { eventually } from './support/ground.ts';
import { ADA, bootstrap, clients, createPerson, ORDERS } from './support/seeds.ts';
import { tokenClient } from './support/token-client.ts';

// Traces and bugs, told to stand-ins for a collector and for Sentry.

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: { key: string; value: { stringValue?: string; intValue?: number } }[];
}

interface Received {
  path: string;
  headers: Record<string, unknown>;
  body: string;
}

async function receiver(answer: (path: string) => number | 'never' = () => 200) {
  const received: Received[] = [];
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk);
    const raw = Buffer.concat(chunks);
    const body = (req.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw).toString();
    received.push({ path: req.url!, headers: req.headers, body });
    const status = answer(req.url!);
    if (status !== 'never') res.writeHead(status, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    port,
    received,
    resources: () =>
      received
        .filter(({ path }) => path === '/v1/traces')
        .flatMap(({ body }) => JSON.parse(body).resourceSpans as { resource: Span; scopeSpans: { spans: Span[] }[] }[]),
    spans() {
      return this.resources().flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
    },
    events: () =>
      received
        .filter(({ path }) => path.includes('/envelope/'))
        .map(({ body }) => body.split('\n').map((line) => JSON.parse(line)))
        .map(([, , event]) => event),
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const settings = { demo: { enabled: false } };
const parent = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) };
const traceparent = (flags: string) => ({ traceparent: `00-${parent.traceId}-${parent.spanId}-${flags}` });

describe('Cardea that tells a collector and Sentry', () => {
  let cardea: Cardea;
  let at: Awaited<ReturnType<typeof receiver>>;
  const secrets: string[] = [];
  beforeAll(async () => {
    at = await receiver();
    cardea = await startCardea({
      bootstrap,
      redis: Boolean(inject('redisUrl')),
      settings: {
        ...settings,
        tracing: { sample: 1, attributes: ['deployment.environment.name=test'], service: 'cardea-test' },
        sentry: { environment: 'test' },
      },
      env: {
        CARDEA_TRACING_URL: `http://127.0.0.1:${at.port}/v1/traces`,
        CARDEA_TRACING_HEADERS: 'x-key=collector-key',
        SENTRY_DSN: `http://public@127.0.0.1:${at.port}/7`,
      },
    });
    const web = tokenClient(cardea.issuer, clients.web);
    const person = createPerson();
    const tokens = await web.signIn({ person, parameters: { scope: 'openid email offline_access' } });
    const { body } = await web.refresh(tokens.refresh_token);
    await web.userinfo(String(body.access_token));
    secrets.push(tokens.access_token, tokens.refresh_token, tokens.id_token, String(body.access_token));
    secrets.push(
      ADA.email,
      ADA.password,
      ADA.name,
      clients.web.client_secret,
      ...person.cookies.all().map((c) => c.value),
    );
    await tokenClient(cardea.issuer, clients.service).post(
      '/token',
      { grant_type: 'client_credentials', resource: ORDERS, scope: 'orders:read' },
      traceparent('01'),
    );
    await expectSpan(({ traceId }) => traceId === parent.traceId);
  }, 90_000);
  afterAll(async () => {
    await cardea?.stop();
    at?.stop();
  });

  const expectSpan = async (fits: (span: Span) => boolean) => {
    for (let left = 100; left > 0; left--) {
      const found = at.spans().find(fits);
      if (found) return found;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`no such span; there are ${[...new Set(at.spans().map(({ name }) => name))]}`);
  };
  const attribute = (span: Span, name: string) => span.attributes.find(({ key }) => key === name)?.value;

  it('requests are spans by route, with statements and reads of the store as their parts', async () => {
    const read = await expectSpan(({ name }) => name === 'select password');
    const request = await expectSpan(({ spanId }) => spanId === read.parentSpanId);
    expect(request).toMatchObject({ kind: 2, name: 'POST /signin/:uid/:step' });
    expect(attribute(request, 'http.response.status_code')?.intValue).toBe(303);
    const parts = at.spans().filter(({ parentSpanId }) => parentSpanId === request.spanId);
    expect(parts.map(({ name }) => name)).toEqual(expect.arrayContaining(['update user_account', 'select outbox']));
    const commit = await expectSpan(({ name }) => name === 'commit');
    const begun = ({ name, parentSpanId }: Span) => name === 'begin' && parentSpanId === commit.parentSpanId;
    await expectSpan(begun);
    expect(new Set(parts.map(({ traceId }) => traceId))).toEqual(new Set([request.traceId]));
    if (inject('redisUrl')) expect(at.spans().map(({ name }) => name)).toContain('redis get');
  });

  it('a caller’s trace goes on here, under the id that the answer and the log name', async () => {
    const request = await expectSpan(({ traceId, kind }) => traceId === parent.traceId && kind === 2);
    expect(request).toMatchObject({ name: 'POST /token', parentSpanId: parent.spanId });
    const { headers } = await fetch(`${cardea.issuer}/jwks`, { headers: traceparent('01') });
    expect(headers.get('x-request-id')).toBe(parent.traceId);
  });

  it('what is answered in front of the engine is a span of its caller’s trace, too', async () => {
    const traceId = 'c'.repeat(32);
    const headers = { traceparent: `00-${traceId}-${parent.spanId}-01` };
    const service = tokenClient(cardea.issuer, clients.service);
    const asked = { grant_type: 'client_credentials', resource: ORDERS, scope: 'orders:read' };
    for (let time = 0; time < 3; time++) {
      const answer = await service.post('/token', asked, headers);
      expect(answer.headers.get('x-request-id')).toBe(traceId);
    }
    const spans = () => at.spans().filter((span) => span.traceId === traceId && span.name === 'POST /token');
    await eventually(() => expect(spans()).toHaveLength(3));
    for (const span of spans()) {
      expect(span).toMatchObject({ kind: 2, parentSpanId: parent.spanId });
      expect(attribute(span, 'http.response.status_code')?.intValue).toBe(200);
      expect(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)).toBeLessThan(10_000_000_000n);
    }
    const whole = spans().filter(({ spanId }) => at.spans().some(({ parentSpanId }) => parentSpanId === spanId));
    expect(whole.length).toBeLessThan(3);
  });

  it('periodic work and deliveries are traces of their own', async () => {
    const job = await expectSpan(({ name }) => name.startsWith('job '));
    expect(job.parentSpanId ?? '').toBe('');
    await expectSpan(({ name }) => name.startsWith('deliver '));
  }, 30_000);

  it('what a trace belongs to is told with it, and the collector’s key', () => {
    const { resource } = at.resources()[0]!;
    const told = Object.fromEntries(resource.attributes.map(({ key, value }) => [key, value.stringValue]));
    expect(told).toMatchObject({ 'service.name': 'cardea-test', 'deployment.environment.name': 'test' });
    expect(told['service.version']).toMatch(/^\d+\.\d+/);
    expect(at.received.find(({ path }) => path === '/v1/traces')!.headers['x-key']).toBe('collector-key');
  });

  it('bugs are told to Sentry with the trace they happened in, failed work by its name', async () => {
    await cardea.sql('alter table mailbox_letter rename to hidden_letter');
    const answer = await fetch(`${cardea.issuer}/dev/mailbox.json?to=${ADA.email}`, { headers: traceparent('00') });
    expect(answer.status).toBe(500);
    const events = () => at.events();
    await expect.poll(() => events().map(({ tags }) => tags.where), { timeout: 20_000 }).toContain('a request failed');
    const bug = events().find(({ tags }) => tags.where === 'a request failed');
    expect(bug.tags.trace).toBe(parent.traceId);
    expect(bug).toMatchObject({ environment: 'test', release: expect.stringMatching(/^cardea@\d/) });
    expect(bug.exception.values.at(-1).stacktrace.frames.length).toBeGreaterThan(2);
    for (const absent of ['user', 'request', 'server_name', 'breadcrumbs']) expect(bug[absent]).toBeUndefined();
  }, 40_000);

  it('no personal data, no token and no secret leaves with a trace or a bug', () => {
    const all = at.received.map(({ body }) => body).join('\n');
    expect(all.length).toBeGreaterThan(10_000);
    for (const secret of secrets) expect(all).not.toContain(secret);
    expect(all).not.toMatch(/@example\.com|127\.0\.0\.1(?!:\d+\/)|code=/);
  });

  it('what is left is sent at a stop', async () => {
    await fetch(`${cardea.issuer}/.well-known/openid-configuration`);
    const before = at.spans().length;
    await cardea.stop();
    expect(at.spans().length).toBeGreaterThan(before);
  });
});

it('a collector and a Sentry that are dead or never answer slow down no request and no stop', async () => {
  const at = await receiver(() => 'never');
  const cardea = await startCardea({
    settings: { ...settings, tracing: { sample: 1 } },
    env: {
      CARDEA_TRACING_URL: `http://127.0.0.1:${at.port}/v1/traces`,
      SENTRY_DSN: 'http://public@127.0.0.1:1/7',
    },
  });
  await cardea.sql('alter table mailbox_letter rename to hidden_letter');
  const from = performance.now();
  for (let count = 0; count < 50; count++) {
    expect((await fetch(`${cardea.issuer}/jwks`)).status).toBe(200);
    expect((await fetch(`${cardea.issuer}/dev/mailbox.json?to=a`)).status).toBe(500);
  }
  expect(performance.now() - from).toBeLessThan(15_000);
  const stopping = performance.now();
  expect(await cardea.stop()).toBe(0);
  expect(performance.now() - stopping).toBeLessThan(10_000);
  at.stop();
}, 60_000);
