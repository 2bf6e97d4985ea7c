import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Cardea, startCardea } from '../support/cardea.ts';
import type { Page } from '../support/client.ts';
import { PASSWORD } from '../support/flows.ts';
import { bootstrap, CALLBACK, createPerson } from '../support/seeds.ts';
import { codeNow, nextStep, secretOn } from '../support/totp.ts';

/** What somebody tries who has a page of their own, an account of their own, or a browser that its owner left open. */

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
const people = ['guard', 'stale', 'open', 'bare', 'ended', 'mine', 'theirs', 'kept', 'other', 'far'];
let cardea: Cardea;
beforeAll(async () => {
  cardea = await startCardea({
    bootstrap: {
      ...bootstrap,
      users: people.map((name) => ({ email: `${name}@example.com`, name, password: PASSWORD, state: 'Active' })),
    },
    settings: {
      demo: { enabled: false },
      sms: { transport: 'mailbox' },
      risk: {
        failures: { points: 3, window: '1h' },
        rules: [
          { name: 'office', when: [], from: ['203.0.113.0/24'], verdict: 'allow' },
          { name: 'guessing', when: ['many_failures'], verdict: 'step_up' },
        ],
      },
    },
  });
});
afterAll(() => cardea.stop());

const at = (path: string) => `${cardea.issuer}${path}`;
const stepOf = ({ url }: { url: URL }) => url.pathname.split('/').at(-1);
const csrfOf = (page: Page) => page.forms.flatMap(({ fields }) => fields).find(({ name }) => name === 'csrf')!.value;
type Person = ReturnType<typeof createPerson>;

/** Through the pages of the sign-in until something is asked that is not the password. */
async function signIn(browser: Person, page: Page, name: string, password = PASSWORD) {
  for (let steps = 0; page.status !== 0 && page.url.pathname.startsWith('/signin/') && steps < 8; steps++) {
    const step = stepOf(page);
    if (step === 'identifier') page = await browser.submit(page, { identifier: `${name}@example.com` });
    else if (step === 'password' && page.status < 400) page = await browser.submit(page, { password });
    else break;
  }
  return page;
}

const arrive = async (name: string, path = '/account/sessions', browser = createPerson()) => ({
  browser,
  page: await signIn(browser, await browser.open(at(path)), name),
});

const authorize = (more: Record<string, string> = {}) =>
  at(
    `/authorize?${new URLSearchParams({
      ...{ client_id: 'web', redirect_uri: CALLBACK, response_type: 'code', scope: 'openid' },
      ...{ code_challenge: 'x'.repeat(43), code_challenge_method: 'S256', ...more },
    })}`,
  );

const idOf = async (name: string) =>
  (await cardea.sql<{ id: string }>('select id from user_account where email = $1', [`${name}@example.com`]))[0]!.id;

/** As if the sign-in had been eleven minutes ago. */
const leaveOpen = async (name: string) =>
  cardea.sql(`update session set auth_time = auth_time - interval '11 minutes' where account_id = $1`, [
    await idOf(name),
  ]);

async function enrol(name: string) {
  const { browser, page } = await arrive(name, '/account/security/totp');
  const secret = secretOn(page.html);
  expect((await browser.submit(page, { code: codeNow(secret) })).status).toBe(200);
  await nextStep(cardea);
  return { browser, secret };
}

const addPasskey = async (name: string, id: string) =>
  cardea.sql(
    `insert into passkey (id, user_id, credential_id, public_key, sign_count, transports, aaguid, backup_eligible,
       backed_up, created_at) values ($1, $2, $3, '\\x00', 0, '{}', '00000000-0000-0000-0000-000000000000', true, true, now())`,
    [id, await idOf(name), `credential of ${name}`],
  );

/** Every form of the account pages, as the door itself names them. */
const kind = /\$\{kind\}/;
const forms = (() => {
  const source = readFileSync(join(import.meta.dirname, '../../src/account/routes.ts'), 'utf8');
  const paths = [...source.matchAll(/\bpost\([`']([^`']+)[`']/g)].map(([, path]) => path!);
  return [...new Set(paths)]
    .filter((path) => path !== '/account/picture')
    .flatMap((path) => (kind.test(path) ? ['email', 'sms'].map((each) => path.replace(kind, each)) : path))
    .map((path) => path.replace(':id', '01930000-0000-7000-8000-000000000000'));
})();

/** What changes when any of them is taken. */
const footprint = async () =>
  cardea.sql(
    `select (select count(*)::int from totp) as totp, (select count(*)::int from code_factor) as codes,
            (select count(*)::int from passkey) as passkeys, (select count(*)::int from one_time_proof) as proofs,
            (select count(*)::int from sent_code) as sent, (select count(*)::int from recovery_code) as recovery,
            (select count(*)::int from session where ended_at is null) as sessions,
            (select string_agg(email || state, ' ' order by email) from user_account) as people`,
  );

describe('a page of somebody else', () => {
  it('gets no form of the account pages taken: without the guard, with another’s, or from across sites', async () => {
    expect(forms.length).toBeGreaterThan(30);
    const { browser, page } = await arrive('guard');
    const { page: theirs } = await arrive('theirs');
    const before = await footprint();
    for (const path of forms) {
      const attempts = [
        await browser.request(at(path), { method: 'POST', body: new URLSearchParams() }),
        await browser.request(at(path), { method: 'POST', body: new URLSearchParams({ csrf: csrfOf(theirs) }) }),
        await browser.request(
          at(path),
          { method: 'POST', body: new URLSearchParams({ csrf: csrfOf(page) }) },
          new URL('http://evil.example/'),
        ),
      ];
      expect([path, ...attempts.map(({ status }) => status)]).toEqual([path, 403, 403, 403]);
    }
    expect(await footprint()).toEqual(before);
  });
});

describe('a browser that its owner left open', () => {
  it('is asked for the password before each change that matters, also by a page that was open before', async () => {
    const { browser, page } = await arrive('stale', '/account/security/totp');
    const csrf = csrfOf(page);
    await leaveOpen('stale');
    const before = await footprint();
    const id = '01930000-0000-7000-8000-000000000000';
    const changes = [
      ...['/account/email', '/account/email/confirm', '/account/passkeys'],
      ...[`/account/passkeys/${id}/rename`, `/account/passkeys/${id}/remove`, '/account/security/recovery-codes'],
      ...['/account/security/totp', '/account/security/totp/remove'],
      ...['email', 'sms'].flatMap((kind) =>
        ['', '/confirm', '/remove'].map((deed) => `/account/security/${kind}${deed}`),
      ),
    ];
    const typed = { csrf, email: 'new@example.com', phone_number: '+442079460199', code: codeNow(secretOn(page.html)) };
    const setup = page.forms.flatMap(({ fields }) => fields).find(({ name }) => name === 'setup')!.value;
    for (const path of changes) {
      const body = new URLSearchParams({ ...typed, setup });
      expect([path, stepOf(await browser.load(at(path), { method: 'POST', body }))]).toEqual([path, 'password']);
    }
    const asked = await browser.request(at('/account/passkeys/options'), {
      method: 'POST',
      body: new URLSearchParams({ csrf }),
    });
    expect(asked.status).toBe(401);
    expect(await footprint()).toEqual(before);
  });

  it('does not become fresh by proving a second factor alone', async () => {
    const { browser } = await arrive('open');
    const { secret } = await enrol('open');
    await leaveOpen('open');
    const page = await browser.open(authorize({ acr_values: 'urn:cardea:acr:mfa' }));
    expect(stepOf(page)).toBe('totp');
    expect((await browser.submit(page, { code: codeNow(secret) })).url.searchParams.get('code')).toBeTruthy();
    // Stronger, and no younger.
    expect(stepOf(await browser.open(at('/account/email')))).toBe('password');
    expect((await browser.open(at('/account'))).url.pathname).toBe('/account');
  });

  it('cannot set up a second factor by way of an application that wants one', async () => {
    const { browser } = await arrive('bare');
    const up = authorize({ acr_values: 'urn:cardea:acr:mfa' });
    expect(stepOf(await browser.open(up))).toBe('totp-setup');
    await leaveOpen('bare');
    const page = await browser.open(up);
    expect(stepOf(page)).toBe('password');
    expect(stepOf(await browser.open(new URL('./totp-setup', page.url)))).toBe('password');
    expect(stepOf(await signIn(browser, page, 'bare'))).toBe('totp-setup');
  });

  it('that was signed out elsewhere does not go on with what it had begun', async () => {
    const { browser } = await arrive('ended');
    const { browser: own, secret } = await enrol('ended');
    const page = await browser.open(authorize({ acr_values: 'urn:cardea:acr:mfa' }));
    expect(stepOf(page)).toBe('totp');
    await own.submit(await own.open(at('/account/sessions')), {}, { form: 'end-others' });
    const late = await browser.submit(page, { code: codeNow(secret) });
    expect(late.status).toBe(400);
    expect(stepOf(await browser.open(authorize()))).toBe('identifier');
  });
});

describe('an account of one’s own', () => {
  it('changes nothing of another’s passkeys, sessions, devices and applications', async () => {
    const [mine, theirs] = ['01930000-0000-7000-8000-0000000000a1', '01930000-0000-7000-8000-0000000000a2'];
    await Promise.all([addPasskey('mine', mine), addPasskey('theirs', theirs)]);
    const owner = await arrive('theirs');
    await signIn(owner.browser, await owner.browser.open(authorize({ client_id: 'other' })), 'theirs');
    const consent = await owner.browser.open(authorize({ client_id: 'other' }));
    if (stepOf(consent) === 'consent') await owner.browser.submit(consent, {}, { button: 'allow' });
    const { browser, page } = await arrive('mine');
    const csrf = csrfOf(page);
    const session = /name="session" value="([\w-]+)"/.exec(owner.page.html)![1]!;
    const state = () =>
      cardea.sql(
        `select (select count(*)::int from passkey where id = $1 and name is null) as passkey,
                (select count(*)::int from consent where account_id = $2) as consents,
                (select count(*)::int from session where account_id = $2 and ended_at is null) as sessions`,
        [theirs, ownerId],
      );
    const ownerId = await idOf('theirs');
    const before = await state();
    for (const [path, body] of [
      [`/account/passkeys/${theirs}/rename`, { name: 'mine now' }],
      [`/account/passkeys/${theirs}/remove`, {}],
      ['/account/sessions/end', { session }],
      ['/account/devices/forget', { device: theirs }],
      ['/account/applications/withdraw', { client: 'other' }],
    ] as const)
      await browser.request(at(path), { method: 'POST', body: new URLSearchParams({ csrf, ...body }) });
    expect(before[0]).toMatchObject({ passkey: 1, consents: 1 });
    expect(await state()).toEqual(before);
  });

  it('is spared no second factor by the cookie of somebody’s remembered device', async () => {
    const { secret } = await enrol('kept');
    const other = await enrol('other');
    const browser = createPerson();
    let page = await signIn(browser, await browser.open(authorize()), 'kept');
    page = await browser.submit(page, { code: codeNow(secret), remember_device: true });
    expect(page.status).toBe(0);
    const remembered = browser.cookies.all().find(({ name }) => name === 'remembered')!;
    const as = async (name: string, value = remembered.value) => {
      const thief = createPerson();
      thief.cookies.set({ name: 'remembered', value });
      return stepOf(await signIn(thief, await thief.open(authorize()), name));
    };
    expect(await as('other')).toBe('totp');
    expect(await as('kept', `${remembered.value.slice(0, -1)}-`)).toBe('totp');
    expect(await as('kept')).toBe('callback');
    // Stolen, it ends where its owner ends it.
    const list = await browser.open(at('/account/sessions'));
    await browser.submit(list, {}, { form: 'devices/forget' });
    expect(await as('kept')).toBe('totp');
    expect(other.secret).not.toBe(secret);
  });
});

describe('an address that one claims to come from', () => {
  it('excuses nothing: a forged X-Forwarded-For meets the same rules', async () => {
    await arrive('far');
    const browser = createPerson();
    const forged = { 'x-forwarded-for': '203.0.113.7', 'x-real-ip': '203.0.113.7', forwarded: 'for=203.0.113.7' };
    const open = await browser.load(authorize(), { headers: forged });
    let page = await browser.submit(open, { identifier: 'far@example.com' });
    const send = async (password: string) => {
      const body = new URLSearchParams({ csrf: csrfOf(page), password });
      page = await browser.load(page.url, { method: 'POST', body, headers: forged }, page.url);
    };
    for (const wrong of ['one', 'two', 'three']) await send(wrong);
    await send(PASSWORD);
    expect(stepOf(page)).toBe('email-code');
    const [risk] = await cardea.sql<{ ip: string }>(`select ip from audit_event where type = 'signin.risk'`);
    expect(risk!.ip).not.toContain('203.0.113.7');
  });
});
