import { createServer, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePorts } from '../support/cardea.ts';
import type { PlainClient } from '../support/client.ts';
import { told } from '../support/command.ts';
import { PASSWORD } from '../support/flows.ts';
import { authorize, bootstrap, clients, createPerson, ORDERS, STOCK } from '../support/seeds.ts';
import { claimsOf, type TokenClient, tokenClient } from '../support/token-client.ts';
import { type Pair, startPair } from './pair.ts';

// Whoever may no longer act loses all they hold at once: the next request with any of it is refused, on every process,
// also when the one who stops them works in a process of its own.

const ways = [
  { command: 'suspend', back: 'reactivate' },
  { command: 'deactivate', back: 'reactivate' },
  { command: 'delete', back: 'recover' },
  { command: 'require-password-reset', back: undefined },
] as const;
const emailOf = (command: string) => `${command}@example.com`;

let pair: Pair;
let web: TokenClient;
let orders: TokenClient;
let receiver: Server;
const logoutTokens: string[] = [];

beforeAll(async () => {
  const [port] = await freePorts(1);
  receiver = createServer(async (request, response) => {
    logoutTokens.push(new URLSearchParams(await text(request)).get('logout_token')!);
    response.end();
  }).listen(port);
  const hearing = {
    ...clients.web,
    client_id: 'hearing',
    backchannel_logout_uri: `http://localhost:${port}/`,
    backchannel_logout_session_required: true,
  };
  pair = await startPair({
    bootstrap: {
      ...bootstrap,
      clients: [...bootstrap.clients, hearing],
      users: [...bootstrap.users, ...ways.map(({ command }) => ({ email: emailOf(command), password: PASSWORD }))],
    },
  });
  web = tokenClient(pair.balancer.url, hearing);
  orders = tokenClient(pair.balancer.url, clients.orders);
}, 90_000);
afterAll(async () => {
  receiver?.close();
  await pair?.stop();
});

/** Everything a person can hold, taken out at once. */
async function takeAll(email: string) {
  const person = createPerson();
  const forUserinfo = await web.signIn({ person, email, parameters: { scope: 'openid email offline_access' } });
  const forOf = (resource: string, scope: string) =>
    web.signIn({
      person,
      email,
      parameters: { resource, scope: `openid ${scope}` },
      tokenParameters: { resource },
    });
  const jwt = await forOf(ORDERS, 'orders:read');
  const opaque = await forOf(STOCK, 'stock:read');
  return { person, forUserinfo, jwt, opaque, sub: claimsOf(forUserinfo.id_token).sub! };
}
type Held = Awaited<ReturnType<typeof takeAll>>;

const signedIn = async (person: PlainClient) =>
  (await authorize(web.authorizeUrl({ prompt: 'none' }), { person })).searchParams.get('error') ?? 'signed in';

/** What becomes of it at the next request with each. */
const useAll = async ({ person, forUserinfo, jwt, opaque }: Held) => ({
  session: await signedIn(person),
  userinfo: (await web.userinfo(forUserinfo.access_token)).status,
  'JWT at userinfo': (await web.userinfo(jwt.access_token)).status,
  'introspection of the opaque one': (await orders.introspect(opaque.access_token)).active,
  'introspection of the JWT': (await orders.introspect(jwt.access_token)).active,
  'introspection of the one for userinfo': (await web.introspect(forUserinfo.access_token)).active,
  'introspection of the refresh token': (await web.introspect(forUserinfo.refresh_token)).active,
});
const alive = {
  session: 'signed in',
  userinfo: 200,
  'JWT at userinfo': 401,
  'introspection of the opaque one': true,
  'introspection of the JWT': true,
  'introspection of the one for userinfo': true,
  'introspection of the refresh token': true,
};
const dead = {
  session: 'login_required',
  userinfo: 401,
  'JWT at userinfo': 401,
  'introspection of the opaque one': false,
  'introspection of the JWT': false,
  'introspection of the one for userinfo': false,
  'introspection of the refresh token': false,
};

it.each(ways)(
  'user $command: the next request with anything held is refused, on both processes',
  async (way) => {
    const email = emailOf(way.command);
    const held = await takeAll(email);
    for await (const _ of pair.each()) expect(await useAll(held)).toEqual(alive);
    logoutTokens.length = 0;

    await told(pair.first, 'user', way.command, email, '--reason', 'a test');

    for await (const _ of pair.each()) {
      expect(await useAll(held)).toEqual(dead);
      for (const { refresh_token } of [held.forUserinfo, held.jwt, held.opaque])
        expect(await web.refresh(refresh_token)).toMatchObject({ status: 400, error: 'invalid_grant' });
      const page = await held.person.open(web.authorizeUrl());
      expect(page.status).toBe(200);
      expect(page.url.pathname).toMatch(/^\/signin\/[^/]+\/identifier$/);
    }

    // The application hears of it, once for its part in the session.
    await expect.poll(() => logoutTokens.length, { timeout: 15_000 }).toBeGreaterThan(0);
    expect(decodeJwt(logoutTokens[0]!)).toMatchObject({
      sub: held.sub,
      sid: claimsOf(held.forUserinfo.id_token).sid,
      aud: 'hearing',
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    });

    // What ended stays ended, whatever becomes of the account.
    if (way.back) await told(pair.second, 'user', way.back, held.sub);
    else await chooseNewPassword(email);
    for await (const _ of pair.each()) {
      expect(await useAll(held)).toEqual(dead);
      expect(await web.refresh(held.forUserinfo.refresh_token)).toMatchObject({ status: 400, error: 'invalid_grant' });
    }
    const password = way.back ? PASSWORD : newPassword;
    const again = await web.signIn({ email, password });
    expect(await web.userinfo(again.access_token)).toMatchObject({ status: 200, body: { sub: held.sub } });
    await expectNoOtherLogout();
  },
  60_000,
);

it('a stopped person cannot sign in, and the pages do not say that there is such an account', async () => {
  await told(pair.first, 'user', 'suspend', emailOf('suspend'));
  const words: string[] = [];
  for await (const _ of pair.each()) {
    for (const [identifier, password] of [
      [emailOf('suspend'), 'not the password at all'],
      ['somebody.else@example.com', 'not the password at all'],
    ] as const) {
      const person = createPerson();
      const page = await person.submit(await person.open(web.authorizeUrl()), { identifier });
      const refused = await person.submit(page, { password });
      words.push(`${refused.status} ${refused.text.replaceAll(identifier, '…').replace(/[0-9a-f]{32}/, '')}`);
    }
    const right = createPerson();
    const page = await right.submit(await right.open(web.authorizeUrl()), { identifier: emailOf('suspend') });
    const refused = await right.submit(page, { password: PASSWORD });
    expect(refused.status).not.toBe(0);
    expect(refused.status).toBeLessThan(500);
    expect(await signedIn(right)).toBe('login_required');
  }
  expect(words).toEqual(words.map(() => words[0]));
});

it('a code that was given a moment before buys nothing', async () => {
  const email = emailOf('deactivate');
  const code = await web.code({ email });
  await told(pair.second, 'user', 'deactivate', email);
  expect(await web.redeem(code)).toMatchObject({ status: 400, error: 'invalid_grant' });
});

it('every change stands in the journal, with who and why, and the journal is whole', async () => {
  const rows = await pair.first.sql<{ type: string; actor_kind: string; reason: string }>(
    `select distinct type, actor_kind, reason from audit_event where type in ('user.suspended', 'user.deactivated',
       'user.deleted', 'user.recovered', 'user.reactivated', 'user.password_reset_required') and reason <> 'bootstrap'`,
  );
  expect(new Set(rows.map(({ type }) => type)).size).toBe(6);
  for (const row of rows) expect(row).toMatchObject({ actor_kind: 'system', reason: expect.stringMatching(/./) });
  expect(await told(pair.first, 'audit', 'verify')).toMatchObject({ intact: true });
});

const newPassword = 'another quiet road of blue slate';

async function chooseNewPassword(email: string): Promise<void> {
  const person = createPerson();
  const page = await person.submit(await person.open(web.authorizeUrl()), { identifier: email });
  const asked = await person.submit(page, { password: PASSWORD });
  expect(asked.url.pathname).toMatch(/\/new-password$/);
  const done = await person.submit(asked, { password: newPassword });
  expect(done.url.searchParams.get('code')).toBeTruthy();
}

/** One session ended, so one application was told once. */
async function expectNoOtherLogout(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(new Set(logoutTokens.map((token) => decodeJwt(token).sid)).size).toBe(1);
}
