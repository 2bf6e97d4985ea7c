import autocannon from 'autocannon';
import { type Load, type Measured, type Step, summary } from './measured.ts';
import { clients, forwarded } from './seeds.ts';
import { authorizePath, codeOf, cookieOf, formHeaders, type Jar, redemption, takeCookies } from './visitor.ts';

/** Also requests that hang on the answers before them. */
export async function requests(load: Load): Promise<Measured> {
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
  const done = Promise.withResolvers<autocannon.Result>();
  const instance = autocannon(options, (error, result) => (error ? done.reject(error) : done.resolve(result)));
  instance.on('response', (_client, status, _bytes, time) => {
    times.push(time);
    if (only && status !== 200) fail(`status ${status}`);
  });
  instance.on('reqError', (error) => fail(String(error)));
  const { requests: counted } = await done.promise;
  // When a connection is closed it connects again without a word. The last request of each may be under way at the end.
  const lost = counted.sent - times.length - load.connections;
  if (lost > 0) fail(`${lost} requests were never answered`);
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
