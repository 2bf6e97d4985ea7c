import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cardea, startCardea } from '../support/cardea.ts';
import { authorize, bootstrap, clients, createPerson } from '../support/seeds.ts';
import {
  type Answer,
  allowDevice,
  claimsOf,
  dpopKey,
  type TokenClient,
  times,
  tokenClient,
} from '../support/token-client.ts';

// What the protocol engine would let happen when the same thing is sent many times at once. The numbers are those of
// the traps in the notes on the engine.

const apps = Array.from({ length: 16 }, (_, index) => ({ ...clients.web, client_id: `app-${index}` }));

let cardea: Cardea;
let web: TokenClient;
let device: TokenClient;
beforeAll(async () => {
  cardea = await startCardea({
    settings: { demo: { enabled: false } },
    bootstrap: {
      ...bootstrap,
      clients: [...bootstrap.clients, ...apps],
    },
  });
  web = tokenClient(cardea.issuer, clients.web);
  device = tokenClient(cardea.issuer, clients.device);
});
afterAll(() => cardea?.stop());

const won = (answers: Answer[]) => answers.filter(({ status }) => status === 200);
/** The errors and statuses of those who lost. */
const lost = (answers: Answer[]) => [
  ...new Set(answers.filter(({ status }) => status !== 200).map(({ status, error }) => `${status} ${error}`)),
];

describe('trap 1: single use is decided by one statement', () => {
  it('of 64 redemptions of one code at once exactly one is answered, and the grant of a replayed code is ended', async () => {
    const code = await web.code();
    const answers = await times(64, () => web.redeem(code));
    expect(won(answers)).toHaveLength(1);
    expect(lost(answers)).toEqual(['400 invalid_grant']);
    const { access_token, refresh_token } = won(answers)[0]!.body as Record<string, string>;
    expect((await web.userinfo(access_token!)).status).toBe(401);
    expect(await web.refresh(refresh_token!)).toMatchObject({ status: 400, error: 'invalid_grant' });
  });

  it('of 64 parallel refreshes of one token exactly one chain lives, and all tabs go on with it', async () => {
    const { refresh_token } = await web.signIn({ parameters: { scope: 'openid offline_access' } });
    const answers = await times(64, () => web.refresh(refresh_token));
    expect(lost(answers)).toEqual([]);
    const successors = new Set(answers.map(({ body }) => body.refresh_token));
    expect(successors.size).toBe(1);
    const [chain] = await cardea.sql<{ count: string }>(
      `select count(*) from refresh_token where consumed_at is null and grant_id =
         (select grant_id from refresh_token where hash = $1)`,
      [sha256(refresh_token)],
    );
    expect(Number(chain!.count)).toBe(1);
    expect(await web.refresh([...successors][0] as string)).toMatchObject({ status: 200 });
  });

  it('of 64 polls with one device code at once exactly one is answered', async () => {
    const started = await device.startDevice();
    await allowDevice(cardea.issuer, createPerson(), started.user_code);
    const answers = await times(64, () => device.poll(started.device_code));
    expect(won(answers)).toHaveLength(1);
    expect(lost(answers)).toEqual(['400 invalid_grant']);
    expect(await device.refresh(String(won(answers)[0]!.body.refresh_token))).toMatchObject({ status: 200 });
  });

  it('of 64 uses of one pushed request at once exactly one is answered with a code', async () => {
    const person = createPerson();
    await web.code({ person });
    const { body } = await web.push();
    const answers = await times(64, () => person.request(web.pushedUrl(body.request_uri)));
    const codes = answers.flatMap((one) => new URL(one.headers.get('location') ?? 'a:').searchParams.get('code') ?? []);
    expect(codes).toHaveLength(1);
    expect(answers.filter(({ status }) => status >= 500)).toEqual([]);
    expect(await web.redeem(codes[0]!)).toMatchObject({ status: 200 });
  });

  it('of 64 requests with one DPoP proof at once exactly one is answered', async () => {
    const bound = tokenClient(cardea.issuer, clients.bound);
    const key = await dpopKey();
    const code = await bound.code();
    const answer = await bound.redeem(code, {}, { dpop: await key.proof('POST', `${cardea.issuer}/token`) });
    const token = String(answer.body.access_token);
    const ath = sha256(token);
    const dpop = await key.proof('GET', `${cardea.issuer}/userinfo`, { ath });
    const answers = await times(64, () => bound.userinfo(token, { authorization: `DPoP ${token}`, dpop }));
    expect(won(answers)).toHaveLength(1);
    expect(lost(answers)).toEqual(['401 invalid_token']);
  });

  it('of 64 uses of one client assertion at once exactly one is answered', async () => {
    const answers = await assertionSentAtOnce(64);
    expect(won(answers)).toHaveLength(1);
    expect(lost(answers)).toEqual(['401 invalid_client']);
  });
});

describe('trap 2: parallel requests on one session', () => {
  it('of 16 parallel sign-ins to as many applications on one session none is lost', async () => {
    const person = createPerson();
    await web.code({ person });
    const all = apps.map((app) => tokenClient(cardea.issuer, app));
    const codes = await Promise.all(all.map((app) => app.code({ person, password: 'not asked for' })));
    const answers = await Promise.all(all.map((app, index) => app.redeem(codes[index]!)));
    expect(lost(answers)).toEqual([]);
    const tokens = answers.map(({ body }) => body as Record<string, string>);
    const infos = await Promise.all(all.map((app, index) => app.userinfo(tokens[index]!.access_token!)));
    expect(lost(infos)).toEqual([]);
    // One session, in which each application has a part of its own.
    const sids = await cardea.sql<{ authorizations: object }>(
      `select authorizations from session where account_id = $1 order by created_at desc limit 1`,
      [claimsOf(tokens[0]!.id_token!).sub],
    );
    expect(Object.keys(sids[0]!.authorizations).sort()).toEqual(['web', ...apps.map((app) => app.client_id)].sort());
  });

  it('of eight sign-ins to one application on one session at once every code is good', async () => {
    const person = createPerson();
    await web.code({ person });
    const codes = await times(8, () => web.code({ person, password: 'not asked for' }));
    expect(lost(await Promise.all(codes.map((code) => web.redeem(code))))).toEqual([]);
  });

  it('four tabs of one browser sign in at once, each on its own pages', async () => {
    const person = createPerson();
    // The first page of all gives the browser the cookie that guards its forms.
    await person.open(web.authorizeUrl());
    const tabs = apps.slice(0, 4).map((app) => tokenClient(cardea.issuer, app));
    const codes = await Promise.all(tabs.map((tab) => tab.code({ person })));
    expect(lost(await Promise.all(tabs.map((tab, index) => tab.redeem(codes[index]!))))).toEqual([]);
  });
});

describe('trap 22: the id of a session changes while requests are under way', () => {
  it('a request with the id before the rotation stays signed in, and a planted id leads nowhere', async () => {
    const person = createPerson();
    const planted = person.cookies.all();
    await web.code({ person });
    const before = person.cookies.all().filter(({ name }) => name.startsWith('session'));
    const url = web.authorizeUrl({ prompt: 'login' });
    await authorize(url, { person });
    const after = person.cookies.all().filter(({ name }) => name.startsWith('session'));
    expect(after.map(({ value }) => value)).not.toEqual(before.map(({ value }) => value));

    const straggler = createPerson();
    for (const cookie of before) straggler.cookies.set(cookie);
    const late = await authorize(web.authorizeUrl({ prompt: 'none' }), { person: straggler });
    expect(late.searchParams.get('code')).toBeTruthy();
    expect(planted).toEqual([]);
  });

  it('an id that a stranger planted before the sign-in does not lead to what came after', async () => {
    const stranger = createPerson();
    await stranger.open(web.authorizeUrl());
    const planted = stranger.cookies.all();
    const victim = createPerson();
    for (const cookie of planted) victim.cookies.set(cookie);
    await web.code({ person: victim });
    const again = await authorize(web.authorizeUrl({ prompt: 'none' }), { person: stranger });
    expect(again.searchParams.get('error')).toBe('login_required');
  });
});

describe('trap 23: refresh tokens that are sent again', () => {
  it('the same client is given the same answer for a while, another client and another key are not', async () => {
    const { refresh_token } = await web.signIn({ parameters: { scope: 'openid offline_access' } });
    const first = await web.refresh(refresh_token);
    const again = await web.refresh(refresh_token);
    expect(again.body).toEqual(first.body);
    const other = tokenClient(cardea.issuer, apps[0]!);
    expect(await other.refresh(refresh_token)).toMatchObject({ status: 400, error: 'invalid_grant' });
    expect(await web.refresh(String(first.body.refresh_token))).toMatchObject({ status: 200 });

    const spa = tokenClient(cardea.issuer, clients.spa);
    const [key, thief] = [await dpopKey(), await dpopKey()];
    const proofOf = async (by: typeof key) => ({ dpop: await by.proof('POST', `${cardea.issuer}/token`) });
    const bound = await spa.redeem(await spa.code(), {}, await proofOf(key));
    const token = String(bound.body.refresh_token);
    const proof = await proofOf(key);
    const rotated = await spa.refresh(token, {}, proof);
    expect((await spa.refresh(token, {}, await proofOf(key))).body).toEqual(rotated.body);
    // A request that was overheard and sent again as it was is none of the application's (RFC 9449, section 11.1).
    expect(await spa.refresh(token, {}, proof)).toMatchObject({ status: 400 });
    expect(await spa.refresh(token, {}, await proofOf(thief))).toMatchObject({ status: 400 });
    expect(await spa.refresh(token)).toMatchObject({ status: 400 });
  });

  it('after that a second use ends the grant', async () => {
    const { refresh_token } = await web.signIn({ parameters: { scope: 'openid offline_access' } });
    const next = String((await web.refresh(refresh_token)).body.refresh_token);
    await cardea.sql(`update refresh_token set consumed_at = consumed_at - interval '11 seconds' where hash = $1`, [
      sha256(refresh_token),
    ]);
    expect(await web.refresh(refresh_token)).toMatchObject({ status: 400, error: 'invalid_grant' });
    expect(await web.refresh(next)).toMatchObject({ status: 400, error: 'invalid_grant' });
  });

  it('the answer that is kept for that while is not readable in the store', async () => {
    const { refresh_token } = await web.signIn({ parameters: { scope: 'openid offline_access' } });
    const { body } = await web.refresh(refresh_token);
    const rows = await cardea.sql<{ row: string }>(`select f::text as row from fleeting f`);
    for (const token of [body.access_token, body.refresh_token, body.id_token])
      expect(rows.filter(({ row }) => row.includes(String(token)))).toEqual([]);
  });
});

const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url');

/** The client that signs authenticates by one assertion, in many requests at once. */
async function assertionSentAtOnce(count: number): Promise<Answer[]> {
  const { SignJWT } = await import('jose');
  const { requestKey } = await import('../support/seeds.ts');
  const assertion = await new SignJWT({ jti: crypto.randomUUID() })
    .setProtectedHeader({ alg: 'ES256', kid: 'request' })
    .setIssuer('signer')
    .setSubject('signer')
    .setAudience(cardea.issuer)
    .setIssuedAt()
    .setExpirationTime('1m')
    .sign(requestKey.privateKey);
  const signer = tokenClient(cardea.issuer, { client_id: 'signer' });
  const proof = {
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  };
  return times(count, () => signer.post('/introspect', { token: 'nothing', ...proof }));
}
