import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Cardea, freePorts, startCardea } from '../support/cardea.ts';
import { agree, signIn } from '../support/flows.ts';
import { relyingPartyClient, startRelyingParty } from '../support/relying-party.ts';
import { ADA, bootstrap, GRACE } from '../support/seeds.ts';
import { createWalker, type Walker } from '../support/walker.ts';

/** The example application with all it can: pushed requests, tokens bound to a key, an API of its own. */
let cardea: Cardea;
let app: Awaited<ReturnType<typeof startRelyingParty>>;
let walker: Walker;

beforeAll(async () => {
  const [port] = await freePorts(1);
  const resource = `http://localhost:${port}/api`;
  const example = relyingPartyClient(port!, {
    first_party: true,
    require_pushed_authorization_requests: true,
    dpop_bound_access_tokens: true,
  });
  cardea = await startCardea({
    settings: { demo: { enabled: false } },
    bootstrap: {
      ...bootstrap,
      clients: [example],
      resource_servers: [{ identifier: resource, scopes: { 'report:read': 'See the report' }, token_format: 'jwt' }],
    },
  });
  const env = { RESOURCE: resource, API_SCOPE: 'report:read', USE_PAR: '1', USE_DPOP: '1' };
  app = await startRelyingParty(cardea.issuer, port!, env);
  walker = await createWalker('plain client', { browser: undefined });
});
afterAll(async () => {
  await app?.stop();
  await cardea?.stop();
});

it('signs in with pushed requests and tokens bound to a key, and refreshes', async () => {
  await walker.open(`${app.url}/sign-in`);
  let view = await signIn(walker, ADA);
  expect(view.text).toContain(`Hello, ${ADA.name}`);
  expect(view.text).toContain('DPoP (bound to a key)');
  view = await walker.submit({}, { form: 'refresh' });
  expect(view.text).toContain('fresh tokens');
  expect(view.text).toContain(ADA.email);
});

it('calls its API with a token of its own, and userinfo still answers', async () => {
  let view = await walker.submit({}, { form: 'call-api' });
  if (view.text.includes('surer that it is you')) {
    await walker.click('Confirm that it is you');
    view = await agree(walker, await walker.submit({ password: ADA.password }));
  }
  expect(view.text).toContain('The API answered');
  expect(view.text).toContain(ADA.email);
  view = await walker.submit({}, { form: 'call-api' });
  expect(view.text).toContain('The API answered');
});

it('its API wants a fresher sign-in than there is, says so, and is answered by one (RFC 9470)', async () => {
  const later = await createWalker('plain client', { browser: undefined });
  await later.open(`${app.url}/sign-in`);
  await signIn(later, GRACE);
  const [account] = await cardea.sql<{ id: string }>('select id from user_account where email = $1', [GRACE.email]);
  await cardea.alterSessions(account!.id, `auth_time = auth_time - interval '6 minutes'`);
  let view = await later.submit({}, { form: 'call-api' });
  expect(view.text).toContain('The API wants to be surer that it is you.');
  view = await later.click('Confirm that it is you');
  expect(view.url.pathname).toMatch(/\/password$/);
  view = await agree(later, await later.submit({ password: GRACE.password }));
  expect(view.text).toContain('The API answered');
  await later.close();
});

it('its API asks who calls, in the words of RFC 6750', async () => {
  const bare = await fetch(`${app.url}/api`);
  expect([bare.status, bare.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
  const wrong = await fetch(`${app.url}/api`, { headers: { authorization: 'Bearer a.b.c' } });
  expect(wrong.headers.get('www-authenticate')).toContain('invalid_token');
});

it('takes no logout token that the provider did not make', async () => {
  const none = `${btoa('{"alg":"none","typ":"logout+jwt"}')}.${btoa('{"sub":"x"}')}.`;
  for (const token of ['', 'x', 'a.b.c', none, 'x'.repeat(30_000)]) {
    const body = new URLSearchParams({ logout_token: token });
    expect((await fetch(`${app.url}/backchannel-logout`, { method: 'POST', body })).status).toBe(400);
  }
  expect((await walker.open(app.url)).text).toContain(`Hello, ${ADA.name}`);
});
