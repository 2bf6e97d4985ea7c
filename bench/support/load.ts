/**
 * The load generator, a process of its own: reads a {@link Load} as JSON from standard input, runs it and writes a
 * {@link Measured} to standard output. Requests go through autocannon; whole sign-ins through visitors.
 */
import { Agent } from 'node:http';
import { text } from 'node:stream/consumers';
import autocannon from 'autocannon';
import { clients, forwarded } from './seeds.ts';
import {
  authorizePath,
  codeOf,
  cookieOf,
  createVisitor,
  formHeaders,
  type Jar,
  redemption,
  takeCookies,
} from './visitor.ts';

export type Step =
  | {
      kind: 'fixed';
      method: 'GET' | 'POST';
      path: string;
      headers?: Record<string, string>;
      body?: string;
      marker?: string;
    }
  /** Takes one of `tokens`, and puts back the one it gets for it. */
  | { kind: 'refresh' }
  /** Takes one of `jars`: a code with the session, and tokens for the code. Two requests. */
  | { kind: 'code' };

export interface Load {
  port: number;
  connections: number;
  seconds: number;
  steps: Step[];
  tokens?: string[];
  jars?: Jar[];
  /** Instead of steps: these sign in with their password, each connection one after the other. */
  people?: { email: string; password: string }[];
}

export interface Measured {
  /** Steps a second; a code with its redemption, and a whole sign-in, count as one. */
  rate: number;
  /** Milliseconds that a request took; for sign-ins, a whole one. */
  p50: number;
  p99: number;
  count: number;
  failures: number;
  /** The first failure. */
  sample?: string;
}

if (import.meta.main) {
  const load = JSON.parse(await text(process.stdin)) as Load;
  const measured = load.people ? await signIns(load) : await requests(load);
  process.stdout.write(JSON.stringify(measured), () => process.exit(0));
}

function summary(times: number[], seconds: number, perStep: number, failures: number, sample?: string): Measured {
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN;
  const count = Math.floor(times.length / perStep);
  return { rate: count / seconds, p50: at(0.5), p99: at(0.99), count, failures, ...(sample && { sample }) };
}

async function requests(load: Load): Promise<Measured> {
  const tokens = [...(load.tokens ?? [])];
  const jars = [...(load.jars ?? [])];
  const times: number[] = [];
  let failures = 0;
  let sample: string | undefined;
  const fail = (what: string) => {
    failures += 1;
    sample ??= what.slice(0, 300);
  };
  const steps = load.steps.flatMap((step) => build(step, { tokens, jars, fail }));
  const perStep = steps.length / load.steps.length;
  // One marker for all is looked for without reading headers: the generator must not be what is measured.
  const [first] = load.steps;
  const only = load.steps.every((step) => step.kind === 'fixed');
  const marker = only && first?.kind === 'fixed' ? first.marker : undefined;

  const options: autocannon.Options = {
    url: `http://127.0.0.1:${load.port}`,
    connections: load.connections,
    duration: load.seconds,
    timeout: 10,
    requests: steps as autocannon.Request[],
    headers: forwarded,
    ...(marker && {
      verifyBody: ((body: string) => {
        const right = body.includes(marker);
        if (!right) fail(body);
        return right;
      }) as never,
    }),
  };
  const from = performance.now();
  const done = Promise.withResolvers<void>();
  const instance = autocannon(options, (error) => (error ? done.reject(error) : done.resolve()));
  instance.on('response', (_client, status, _bytes, time) => {
    times.push(time);
    if (only && status !== 200) fail(`status ${status}`);
  });
  instance.on('reqError', (error) => fail(String(error)));
  await done.promise;
  return summary(times, (performance.now() - from) / 1000, perStep, failures, sample);
}

interface Supplies {
  tokens: string[];
  jars: Jar[];
  fail(what: string): void;
}

type Built = Record<string, unknown>;

function build(step: Step, supplies: Supplies): Built[] {
  if (step.kind === 'fixed') {
    const { kind: _, marker: __, ...request } = step;
    return [request];
  }
  return step.kind === 'refresh' ? [refreshing(supplies)] : withSession(supplies);
}

function refreshing({ tokens, fail }: Supplies): Built {
  return {
    method: 'POST',
    path: '/token',
    headers: formHeaders(clients.web),
    setupRequest: (request: Built) => {
      const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: tokens.shift() ?? 'none left' });
      return { ...request, body: body.toString() };
    },
    onResponse: (status: number, body: string) => {
      if (status === 200) tokens.push((JSON.parse(body) as { refresh_token: string }).refresh_token);
      else fail(`refresh: ${status} ${body}`);
    },
  };
}

function withSession({ jars, fail }: Supplies): Built[] {
  return [
    {
      method: 'GET',
      path: authorizePath(),
      setupRequest: (request: Built, context: { jar?: Jar }) => {
        context.jar = jars.shift() ?? {};
        return { ...request, headers: { ...forwarded, cookie: cookieOf(context.jar) } };
      },
      onResponse: (
        status: number,
        body: string,
        context: { jar: Jar; code?: string },
        headers: Record<string, never>,
      ) => {
        const named = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
        const code = codeOf(named.location);
        if (!code) return fail(`authorize: ${status} ${named.location ?? body}`);
        takeCookies(context.jar, named['set-cookie']);
        context.code = code;
      },
    },
    {
      method: 'POST',
      path: '/token',
      headers: formHeaders(clients.web),
      setupRequest: (request: Built, { code = 'none' }: { code?: string }) => ({ ...request, body: redemption(code) }),
      onResponse: (status: number, body: string, { jar }: { jar: Jar }) => {
        if (status !== 200) return fail(`redeem: ${status} ${body}`);
        jars.push(jar);
      },
    },
  ];
}

async function signIns({ port, connections, seconds, people = [] }: Load): Promise<Measured> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const times: number[] = [];
  let failures = 0;
  let sample: string | undefined;
  const from = performance.now();
  const until = from + seconds * 1000;
  let turn = 0;
  const loop = async () => {
    while (performance.now() < until) {
      const person = people[turn++ % people.length]!;
      const began = performance.now();
      try {
        await createVisitor(port, agent).signIn(person);
        times.push(performance.now() - began);
      } catch (error) {
        failures += 1;
        sample ??= String(error).slice(0, 300);
      }
    }
  };
  await Promise.all(Array.from({ length: connections }, loop));
  return summary(times, (performance.now() - from) / 1000, 1, failures, sample);
}
