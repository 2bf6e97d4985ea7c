import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { errors, type KoaContextWithOIDC, Provider } from 'oidc-provider';
// @ts-expect-error the engine's insides have no types
import introspectionSteps from 'oidc-provider/lib/actions/introspection.js';
// @ts-expect-error
import revocationSteps from 'oidc-provider/lib/actions/revocation.js';
// @ts-expect-error
import * as validateDpop from 'oidc-provider/lib/helpers/validate_dpop.js';
// @ts-expect-error
import rejectStructuredTokens from 'oidc-provider/lib/shared/reject_structured_tokens.js';
import { describe, expect, it } from 'vitest';
import { silentLog } from '../platform/log.ts';
import { leaveLogoutToOutbox } from './back-channel-logout.ts';
import { answerTokenEndpoints, letRequestsGo, type Step, wrapGrant } from './engine-internals.ts';
import { logEngine } from './listening.ts';
import { createPrompts } from './prompts.ts';
import { refuseLateReplays } from './replays.ts';

// Each inside of the protocol engine that Cardea relies on. What fails here after an upgrade would fail in production.

const refresh = 'refresh_token';
const device = 'urn:ietf:params:oauth:grant-type:device_code';

const keyPair = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** Keeps what is written; all that these tests need of a store. */
function createKeeping() {
  const kept = new Map<string, object>();
  return (model: string) => ({
    upsert: async (id: string, payload: object) => void kept.set(`${model} ${id}`, payload),
    find: async (id: string) => kept.get(`${model} ${id}`),
  });
}

const createProvider = () =>
  new Provider('http://localhost', {
    features: {
      devInteractions: { enabled: false },
      deviceFlow: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      dPoP: { enabled: true, nonceSecret: Buffer.alloc(32) },
    },
    clients: [{ client_id: 'app', client_secret: 'x', redirect_uris: ['https://app.example/'] }],
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    cookies: { keys: ['k'] },
    adapter: createKeeping() as never,
    jwks: { keys: [{ ...keyPair.privateKey.export({ format: 'jwk' }), use: 'sig', kid: 'k' }] } as never,
  });

it('the engine is pinned to the exact version that these insides were read in', () => {
  const require = createRequire(import.meta.url);
  const { version } = JSON.parse(readFileSync(require.resolve('oidc-provider/package.json'), 'utf8'));
  const { dependencies } = JSON.parse(readFileSync(require.resolve('../../package.json'), 'utf8'));
  expect(dependencies['oidc-provider']).toBe(version);
});

describe('grant handlers', () => {
  it('are kept by grant type, and the one put in their place is called with the context', async () => {
    const provider = createProvider();
    provider.Client.prototype.grantTypeAllowed = () => true;
    for (const [grantType, parameter] of [
      [refresh, 'refresh_token'],
      [device, 'device_code'],
    ] as const) {
      wrapGrant(provider, grantType, (engine): Step => {
        expect(engine).toBeTypeOf('function');
        return async (ctx) => {
          // The parameters that the engine reads for the grant stay as they were.
          ctx.body = { ours: ctx.oidc.params![parameter], client: ctx.oidc.client!.clientId };
        };
      });
      const answer = await post(provider, '/token', { grant_type: grantType, [parameter]: 'presented' });
      expect(answer).toMatchObject({ status: 200, body: { ours: 'presented', client: 'app' } });
    }
  });

  it('of a grant type that the engine does not have are a fault at the start', () => {
    expect(() => wrapGrant(createProvider(), 'password', (engine) => engine)).toThrow('no handler for password');
  });
});

it('the context of a request is a property, for those that are to be let go of once they are answered', async () => {
  const kept = createProvider();
  const forgotten = createProvider();
  letRequestsGo(forgotten);
  const seen: unknown[] = [];
  for (const provider of [kept, forgotten]) {
    provider.use(async (ctx, next) => {
      await next();
      const { get, value } = Object.getOwnPropertyDescriptor(ctx, 'oidc')!;
      seen.push([typeof get, value === undefined ? undefined : value.provider === provider]);
    });
    expect(await post(provider, '/token/introspection', { token: 'x' })).toMatchObject({ body: { active: false } });
  }
  expect(seen).toEqual([
    ['function', undefined],
    ['undefined', true],
  ]);
});

describe('introspection and revocation', () => {
  it('no longer refuse JWTs, and ask us last, after the client was authenticated', async () => {
    for (const steps of [introspectionSteps, revocationSteps] as Step[][])
      expect(steps).not.toContain(rejectStructuredTokens);
    const provider = createProvider();
    const asked: (string | undefined)[] = [];
    const answer = (name: string) => async (ctx: KoaContextWithOIDC, engine: () => Promise<void>) => {
      asked.push(`${name} ${ctx.oidc.client?.clientId} ${ctx.oidc.params!.token}`);
      if (ctx.oidc.params!.token === 'a.b.c') ctx.body = { ours: true };
      else await engine();
    };
    answerTokenEndpoints(provider, { introspect: answer('introspect'), revoke: answer('revoke') });
    expect(await post(provider, '/token/introspection', { token: 'a.b.c' })).toMatchObject({ body: { ours: true } });
    expect(await post(provider, '/token/introspection', { token: 'x' })).toMatchObject({ body: { active: false } });
    expect(await post(provider, '/token/revocation', { token: 'a.b.c' })).toMatchObject({ body: { ours: true } });
    expect(await post(provider, '/token/revocation', { token: 'x' })).toMatchObject({ status: 200 });
    expect(asked).toEqual(['introspect app a.b.c', 'introspect app x', 'revoke app a.b.c', 'revoke app x']);
    expect(await post(provider, '/token/introspection', { token: 'a.b.c' }, 'wrong')).toMatchObject({ status: 401 });
    expect(asked).toHaveLength(4);
  });

  it('answer as the engine does for a provider that nobody spoke for', async () => {
    expect(await post(createProvider(), '/token/introspection', { token: 'x' })).toMatchObject({
      body: { active: false },
    });
  });
});

describe('DPoP', () => {
  it('proofs are validated by the function we call', () => {
    expect(validateDpop.default).toBeTypeOf('function');
    expect(String(validateDpop.default)).toContain('thumbprint');
  });

  it('trap 1: a replay that lost the race is told as one that was seen, and an outage as an outage', async () => {
    const provider = createProvider();
    refuseLateReplays(provider);
    const unique = () => provider.ReplayDetection.unique('iss', 'jti', Math.floor(Date.now() / 1000) + 60);
    expect([await unique(), await unique()]).toEqual([true, false]);
    for (const [thrown, told] of [
      [new errors.InvalidGrant('already used'), false],
      [new errors.InvalidRequest('out of reach'), 'thrown'],
    ] as const) {
      provider.ReplayDetection.prototype.save = () => Promise.reject(thrown);
      const other = provider.ReplayDetection.unique('iss', String(told), Math.floor(Date.now() / 1000) + 60);
      expect(await other.catch(() => 'thrown')).toBe(told);
    }
  });
});

describe('clients', () => {
  it('have their secret compared, and their logout sent, by methods that ours take the place of', async () => {
    const provider = createProvider();
    const prototype = provider.Client.prototype as unknown as Record<string, unknown>;
    expect(prototype.compareClientSecret).toBeTypeOf('function');
    expect(prototype.backchannelLogout).toBeTypeOf('function');
    const asked: string[] = [];
    // As `client-secret.ts` does: the presented secret in, a promise of the answer out, `this` the client.
    Object.defineProperty(provider.Client.prototype, 'compareClientSecret', {
      async value(this: { clientId: string }, presented: string) {
        asked.push(`${this.clientId} ${presented}`);
        return presented === 'by hash';
      },
    });
    leaveLogoutToOutbox(provider);
    expect(await post(provider, '/token/introspection', { token: 'x' }, 'by hash')).toMatchObject({ status: 200 });
    expect(await post(provider, '/token/introspection', { token: 'x' }, 'x')).toMatchObject({ status: 401 });
    expect(asked).toEqual(['app by hash', 'app x']);
    const client = (await provider.Client.find('app'))! as unknown as { backchannelLogout(): Promise<void> };
    await expect(client.backchannelLogout()).resolves.toBeUndefined();
  });
});

it('the policy of prompts has the checks and the order that ours are put into', () => {
  const policy = createPrompts();
  expect(policy.map(({ name }) => name)).toEqual(['create', 'login', 'select_account', 'organization', 'consent']);
  const reasons = [...policy.get('login')!.checks].map(({ reason }) => reason);
  expect(reasons).toEqual(
    expect.arrayContaining(['no_session', 'max_age', 'essential_acr', 'unknown_acr', 'acr_values']),
  );
});

it('trap 26: listeners of the engine’s events answer at once and wait for nothing', () => {
  const provider = createProvider();
  const before = provider.eventNames();
  logEngine(provider, silentLog);
  const names = provider.eventNames().filter((name) => !before.includes(name));
  expect(names).toContain('grant.error');
  expect(names).toContain('server_error');
  const ctx = { state: {}, oidc: { client: { clientId: 'app' } } };
  for (const name of names)
    for (const listener of provider.listeners(name)) expect(listener(ctx, new Error('no'))).toBeUndefined();
  // Events of models carry tokens in the clear: nobody listens.
  expect(names.filter((name) => /saved|destroyed|consumed|issued|success/.test(String(name)))).toEqual([]);
});

it('trap 26: no event is listened to whose name the engine no longer emits', () => {
  const require = createRequire(import.meta.url);
  const lib = require.resolve('oidc-provider').replace(/index\.js$/, '');
  const source = ['helpers/initialize_app.js', 'shared/error_handler.js', 'shared/authorization_error_handler.js']
    .map((file) => readFileSync(lib + file, 'utf8'))
    .join();
  const provider = createProvider();
  const before = provider.eventNames();
  logEngine(provider, silentLog);
  for (const name of provider.eventNames().filter((name) => !before.includes(name)))
    expect(source).toContain(`'${String(name)}'`);
});

/** Sends a form to the engine as the client `app`. */
async function post(provider: Provider, path: string, fields: Record<string, string>, secret = 'x') {
  const server = createServer(provider.callback()).listen(0);
  try {
    const { port } = server.address() as { port: number };
    const response = await fetch(`http://localhost:${port}${path}`, {
      method: 'POST',
      body: new URLSearchParams(fields),
      headers: { authorization: `Basic ${btoa(`app:${encodeURIComponent(secret)}`)}` },
    });
    const text = await response.text();
    return { status: response.status, body: text ? JSON.parse(text) : undefined };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
