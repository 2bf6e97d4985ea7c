import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cardea, startCardea } from '../support/cardea.ts';
import { createClient, type Page } from '../support/client.ts';
import { freshAddress, OTHER_PASSWORD, PASSWORD } from '../support/flows.ts';
import { ADA, bootstrap, CALLBACK, clients, STOCK } from '../support/seeds.ts';
import { tokenClient } from '../support/token-client.ts';

// What was tried against the running server and once worked. Each has the name of the attack.

/** A service that will be removed. */
const gone = { ...clients.service, client_id: 'gone' };

let cardea: Cardea;
beforeAll(async () => {
  cardea = await startCardea({
    bootstrap: { ...bootstrap, clients: [...bootstrap.clients, gone] },
    settings: {
      proxy: { trusted: ['loopback'] },
      captcha: { when: 'suspicious' },
      limits: { signin_pair: { points: 5, window: '15m' } },
    },
  });
});
afterAll(async () => {
  const logs = cardea.logs();
  await cardea.stop();
  expect(logs).not.toMatch(/"level":"(error|fatal)"/);
});

/** Everybody comes from an address of their own, unless they say otherwise. */
let people = 0;
const createPerson = (ip = `198.51.100.${++people}`) =>
  createClient({ outside: /^http:\/\/localhost:9\//, headers: { 'x-forwarded-for': ip } });

const authorizeUrl = (more: Record<string, string> = {}) =>
  `${cardea.issuer}/authorize?${new URLSearchParams({
    client_id: 'web',
    redirect_uri: CALLBACK,
    response_type: 'code',
    scope: 'openid',
    state: 's',
    code_challenge: 'x'.repeat(43),
    code_challenge_method: 'S256',
    ...more,
  })}`;

const csrfOf = (page: Page) => page.forms.flatMap(({ fields }) => fields).find(({ name }) => name === 'csrf')!.value;
const step = ({ url }: Page) => url.pathname.split('/').at(-1);

/** Half a sign-in: the identifier and a password. */
async function tryPassword(email: string, password: string, ip?: string) {
  const person = createPerson(ip);
  const page = await person.submit(await person.open(authorizeUrl()), { identifier: email });
  return { person, page: await person.submit(page, { password }) };
}

async function register(email: string, password: string) {
  const person = createPerson();
  const page = await person.submit(await person.open(authorizeUrl({ prompt: 'create' })), { email, password });
  expect(step(page)).toBe('verify');
  return { person, page };
}

/** The owner of the address chooses a password by letter. */
async function resetPassword(email: string, password: string): Promise<void> {
  const owner = createPerson();
  await owner.submit(await owner.open(`${cardea.issuer}/account/forgot`), { email });
  const { link } = await cardea.mailbox.next(email, 'reset-password');
  expect((await owner.submit(await owner.open(link), { password })).status).toBe(200);
}

describe('a sign-in under way', () => {
  it('is worth nothing once the password it proved is another', async () => {
    const email = 'change.0@example.com';
    const { person, page } = await tryPassword(email, PASSWORD);
    expect(step(page)).toBe('new-password');
    await resetPassword(email, OTHER_PASSWORD);
    for (const path of ['', '/new-password', '/consent'])
      expect(step(await person.load(new URL(page.url.pathname.replace(/\/[^/]*$/, path), page.url)))).toBe('password');
    expect((await person.submit(page, { password: 'what the thief would like it to be' })).status).not.toBe(0);
    expect(step((await tryPassword(email, OTHER_PASSWORD)).page)).not.toBe('password');
  });

  it('is kept for two minutes at most once all is proved, for a redirect that somebody holds back', async () => {
    const person = createPerson();
    const page = await person.submit(await person.open(authorizeUrl()), { identifier: ADA.email });
    const body = new URLSearchParams({ csrf: csrfOf(page), password: PASSWORD });
    expect((await person.request(page.url, { method: 'POST', body }, page.url)).status).toBe(303);
    const uid = page.url.pathname.split('/')[2]!;
    const [kept] = await cardea.sql<{ seconds: string }>(
      'select extract(epoch from expires_at - now()) as seconds from fleeting where key = $1',
      [`Interaction:${createHash('sha256').update(uid).digest('base64url')}`],
    );
    // With the minute that everything is kept longer than it lives.
    expect(Number(kept!.seconds)).toBeLessThanOrEqual(180);
  });

  it('of somebody who registered an address before its owner ends nowhere once the owner has come', async () => {
    const email = freshAddress();
    const thief = await register(email, PASSWORD);
    const { link } = await cardea.mailbox.next(email, 'verify-address');
    await resetPassword(email, OTHER_PASSWORD);
    // The owner opens the older letter as well.
    const owner = createPerson();
    const asked = await owner.open(link);
    if (asked.status === 200) await owner.submit(asked, {}, { form: '/account/verify' });
    const page = await thief.person.load(thief.page.url);
    expect([page.status, step(page)]).toEqual([200, 'verify']);
  });
});

describe('whoever registered the address of another', () => {
  it.each(['a password', 'a passkey to come'])('with %s is not let in by its owner’s press', async (how) => {
    const email = freshAddress();
    const thief = createPerson();
    const form = await thief.open(authorizeUrl({ prompt: 'create' }));
    const given = how === 'a password' ? { password: PASSWORD } : {};
    const waiting = await thief.submit(form, { email, ...given }, how === 'a password' ? {} : { button: 'passkey' });
    expect(step(waiting)).toBe('verify');
    const { link } = await cardea.mailbox.next(email, 'verify-address');

    const owner = createPerson();
    const asked = await owner.open(link);
    // As the thief would have it: the page in the owner's browser, pressed without a word.
    const body = new URLSearchParams({ csrf: csrfOf(asked), token: new URL(link).searchParams.get('token')! });
    expect((await owner.load(`${cardea.issuer}/account/verify`, { method: 'POST', body })).status).toBe(422);
    expect(step(await thief.load(waiting.url))).toBe('verify');

    const chosen = await owner.submit(asked, { password: OTHER_PASSWORD }, { form: 'password' });
    expect(chosen.text).toContain('Your address is confirmed');
    expect([step(await thief.load(waiting.url)), step((await tryPassword(email, PASSWORD)).page)]).toEqual([
      'verify',
      'password',
    ]);
    expect((await tryPassword(email, OTHER_PASSWORD)).page.status).toBe(0);
  });
});

describe('a browser that registered one address and then another', () => {
  it('goes on with the second only, whoever confirms the first', async () => {
    const [first, second] = [freshAddress(), freshAddress()];
    const { person, page } = await register(first, PASSWORD);
    const { link } = await cardea.mailbox.next(first, 'verify-address');
    const again = await person.load(new URL(page.url.pathname.replace('verify', 'register'), page.url));
    expect(step(await person.submit(again, { email: second, password: PASSWORD }))).toBe('verify');
    const owner = createPerson();
    const asked = await owner.open(link);
    const confirmed = await owner.submit(asked, { current: PASSWORD }, { form: '/account/verify' });
    expect(confirmed.text).toContain('Your address is confirmed');
    expect(step(await person.load(page.url))).toBe('verify');
    const { code } = await cardea.mailbox.next(second, 'verify-address');
    expect((await person.submit(await person.load(page.url), { code })).status).toBe(0);
  });
});

describe('whether an address has an account', () => {
  const withoutAddresses = (page: Page) => [
    page.status,
    step(page),
    page.title,
    page.text.replaceAll(/\S+@\s?\S+/g, '…'),
  ];

  it('cannot be told by registering it and signing in with the password one chose', async () => {
    const seen = [];
    for (const email of [ADA.email, freshAddress()]) {
      await register(email, OTHER_PASSWORD);
      seen.push(withoutAddresses((await tryPassword(email, OTHER_PASSWORD)).page));
    }
    expect(seen[1]).toEqual(seen[0]);
  });

  it('cannot be told by a change of password', async () => {
    const seen = [];
    const fresh = freshAddress();
    await register(fresh, OTHER_PASSWORD);
    for (const email of [ADA.email, freshAddress(), fresh, 'suspended@example.com']) {
      const person = createPerson();
      const page = await person.open(`${cardea.issuer}/account/password`);
      const answer = await person.submit(page, {
        email,
        current: OTHER_PASSWORD,
        password: 'an unheard of word, 9 times',
      });
      seen.push(withoutAddresses(answer));
      expect(answer.text).toContain('not your current password');
    }
    for (const one of seen) expect(one).toEqual(seen[0]);
  });
});

describe('guessing', () => {
  it('another spelling of the domain brings no fresh guesses', async () => {
    const statuses = [];
    const email = 'guessed@sub.mail.example.com';
    for (const domain of [
      'sub.mail.example.com',
      'sub。mail.example.com',
      'sub.mail。example.com',
      'sub．mail．example.com',
    ])
      for (let guess = 0; guess < 2; guess++)
        statuses.push((await tryPassword(email.replace(/@.*/, `@${domain}`), 'a guess', '203.0.113.1')).page.status);
    expect(statuses.filter((status) => status === 422)).toHaveLength(5);
    expect(statuses.at(-1)).toBe(429);
  });

  it('an address has no invisible spellings', async () => {
    const person = createPerson();
    for (const sign of ['\ufe00', '\u034f', '\u00ad', '\u200b', '\u3164'])
      expect(
        step(await person.submit(await person.open(authorizeUrl()), { identifier: `ada@exam${sign}ple.com` })),
      ).toBe('identifier');
  });

  it('letters for a new password cost a proof of work at both doors', async () => {
    const forgot = async () => {
      const person = createPerson('203.0.113.2');
      return person.submit(await person.open(`${cardea.issuer}/account/forgot`), { email: freshAddress() });
    };
    let page = await forgot();
    for (let asked = 0; asked < 10 && page.status === 200; asked++) page = await forgot();
    expect(page.status).toBe(422);
    expect(page.html).toContain('data-pow=');
  });
});

describe('odd requests', () => {
  const ask = (path: string, init: RequestInit = {}) =>
    fetch(cardea.issuer + path, { redirect: 'manual', ...init, headers: { accept: 'text/html' } });

  it('a NUL is nobody’s name', async () => {
    for (const path of ['/authorize?response_type=code&client_id=%00', '/logout?client_id=a%00', '/setup?token=%00'])
      expect((await ask(path)).status).toBeLessThan(500);
    for (const path of ['/token', '/par', '/introspect', '/revoke', '/device/authorize', '/authorize', '/logout']) {
      const body = new URLSearchParams({ client_id: 'a\0', client_secret: '\0', token: '\0', grant_type: '\0' });
      expect((await ask(path, { method: 'POST', body })).status).toBeLessThan(500);
    }
    const person = createPerson();
    const page = await person.open(await cardea.setupLink());
    expect((await person.submit(page, { name: 'A\0cme \ud800', logo: '\0' })).status).toBeLessThan(500);
  });

  it('a device’s code without a session gets the page again', async () => {
    const body = new URLSearchParams({ user_code: 'BCDF-GHJK', xsrf: 'x' });
    for (const answer of [await ask('/device', { method: 'POST', body }), await ask('/device/what-ever-it-was')])
      expect([answer.status, answer.headers.get('location')]).toEqual([303, '/device']);
  });

  it('a parameter given twice is no fault of ours', async () => {
    for (const path of [
      '/setup?token=a&token=b',
      '/?lang=a&lang=b&ui_locales=a&ui_locales=b',
      '/account/reset?token=a&token=b',
    ])
      expect((await ask(path)).status).toBeLessThan(500);
  });

  it('no page links to the house that the path names', async () => {
    for (const path of ['//evil.example/', '/\\\\evil.example/', '///evil.example'])
      expect(await rawBody(path)).not.toMatch(/(href|action)="[/\\\\]{2,}/);
  });

  it('keys that both sides would have to know are not offered: secrets are kept by hash', async () => {
    const discovery = await (await ask('/.well-known/openid-configuration')).json();
    expect(JSON.stringify(discovery)).not.toMatch(/"(dir|A\d{3}(GCM)?KW|HS\d{3}|none_|PBES2[^"]*)"/);
  });
});

describe('a token of an application that is gone', () => {
  it('is dead, and asking for it is no fault of ours', async () => {
    const { body } = await tokenClient(cardea.issuer, gone).credentials({ resource: STOCK, scope: 'stock:read' });
    const ask = () => tokenClient(cardea.issuer, clients.orders).introspect(String(body.access_token));
    expect(await ask()).toMatchObject({ active: true, client_id: 'gone' });
    await cardea.sql(`delete from client where client_id = 'gone'`);
    await cardea.sql(`select pg_notify('cardea', 'client gone')`);
    await expect.poll(ask).toEqual({ active: false });
  });
});

describe('the set-up link', () => {
  it('opens nothing once there is an administrator, however they came', async () => {
    const link = await cardea.setupLink();
    expect((await createPerson().open(link)).status).toBe(200);
    await cardea.sql(`update user_account set administrator = true where email = $1`, [ADA.email]);
    expect((await createPerson().open(link)).status).toBe(403);
    await cardea.sql('update user_account set administrator = false');
  });
});

/** `fetch` tidies paths: this asks as it is told. */
function rawBody(path: string): Promise<string> {
  const { hostname, port, host } = new URL(cardea.issuer);
  return new Promise((resolve, reject) => {
    request({ hostname, port, path, headers: { host, accept: 'text/html' } }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () => resolve(body));
    })
      .on('error', reject)
      .end();
  });
}
