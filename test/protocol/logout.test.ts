import { createServer, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { createRemoteJWKSet, type JWTPayload, jwtVerify } from 'jose';
import * as oidc from 'openid-client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Cardea, freePorts, startCardea } from '../support/cardea.ts';
import { discover, signInWith } from '../support/oidc.ts';
import { bootstrap, CALLBACK, clients, createPerson } from '../support/seeds.ts';

let cardea: Cardea;
let receiver: Server;
const received: { token: string; path: string }[] = [];
let refusals = 0;

/** Hears of logouts; the first time it fails, as applications do. */
const hearing = (id: string, port: number) => ({
  ...clients.web,
  client_id: id,
  client_secret: `the secret of ${id}, which is long enough`,
  backchannel_logout_uri: `http://localhost:${port}/${id}`,
  backchannel_logout_session_required: true,
  post_logout_redirect_uris: ['http://localhost:9/bye'],
});
let one: ReturnType<typeof hearing>;
let two: ReturnType<typeof hearing>;

beforeAll(async () => {
  const [port] = await freePorts(1);
  one = hearing('one', port!);
  two = hearing('two', port!);
  receiver = createServer(async (request, response) => {
    const token = new URLSearchParams(await text(request)).get('logout_token')!;
    if (refusals-- > 0) return void response.writeHead(503).end();
    received.push({ token, path: request.url! });
    response.writeHead(200).end();
  }).listen(port);
  cardea = await startCardea({ bootstrap: { ...bootstrap, clients: [...bootstrap.clients, one, two] } });
});
afterAll(async () => {
  receiver?.close();
  await cardea?.stop();
});

async function heard(path: string): Promise<JWTPayload> {
  for (let tries = 0; tries < 300; tries++) {
    const at = received.findIndex((one) => one.path === path);
    if (at >= 0) {
      const { token } = received.splice(at, 1)[0]!;
      const jwks = createRemoteJWKSet(new URL(`${cardea.issuer}/jwks`));
      return (await jwtVerify(token, jwks, { issuer: cardea.issuer, audience: path.slice(1), typ: 'logout+jwt' }))
        .payload;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${path} heard nothing`);
}

it('RP-initiated logout tells the other applications of the session, again when one did not answer', async () => {
  const person = createPerson();
  const first = await signInWith(await discover(cardea, one), { person });
  const second = await signInWith(await discover(cardea, two), { person });
  refusals = 1;
  const config = await discover(cardea, one);
  const url = oidc.buildEndSessionUrl(config, {
    id_token_hint: first.tokens.id_token!,
    post_logout_redirect_uri: 'http://localhost:9/bye',
    state: 'kept',
  });
  let page = await person.open(url);
  if (page.status !== 0) page = await person.submit(page, {}, { button: 'yes' });
  expect(page.url.href).toBe('http://localhost:9/bye?state=kept');
  const events = { 'http://schemas.openid.net/event/backchannel-logout': {} };
  expect(await heard('/two')).toMatchObject({ sid: second.claims.sid, events });
  expect(await heard('/one')).toMatchObject({ sid: first.claims.sid, events });
  const silent = oidc.buildAuthorizationUrl(config, {
    redirect_uri: CALLBACK,
    scope: 'openid',
    prompt: 'none',
    code_challenge: 'x'.repeat(43),
    code_challenge_method: 'S256',
  });
  expect((await person.open(silent)).url.searchParams.get('error')).toBe('login_required');
}, 60_000);

it('logout goes to registered addresses only, and a question stands before it without a hint', async () => {
  const person = createPerson();
  const config = await discover(cardea, one);
  const { tokens } = await signInWith(config, { person });
  const wrong = await person.open(
    oidc.buildEndSessionUrl(config, {
      id_token_hint: tokens.id_token!,
      post_logout_redirect_uri: 'https://evil.example/',
    }),
  );
  expect(wrong.status).toBe(400);
  const forged = await person.open(`${cardea.issuer}/logout?id_token_hint=a.b.c`);
  expect(forged.status).toBe(400);
  const asked = await person.open(`${cardea.issuer}/logout`);
  expect(asked.status).toBe(200);
  // A page of another site cannot sign anybody out: the form needs what only our page holds.
  const blind = await person.load(`${cardea.issuer}/logout/confirm`, {
    method: 'POST',
    body: new URLSearchParams({ logout: 'yes', xsrf: 'guessed' }),
  });
  expect(blind.status).toBeGreaterThanOrEqual(400);
  expect(blind.status).toBeLessThan(500);
  const again = await signInWith(config, { person, password: 'not asked for' });
  expect(again.claims.sub).toBeTruthy();
});
