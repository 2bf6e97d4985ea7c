import * as oidc from 'openid-client';
import { describe, expect, it } from 'vitest';
import type { Page } from '../support/client.ts';
import { agree, PASSWORD } from '../support/flows.ts';
import { discover } from '../support/oidc.ts';
import { bootstrap, CALLBACK, clients, createPerson } from '../support/seeds.ts';
import { codeNow, codesOn, nextStep, secretOn } from '../support/totp.ts';
import { setStage } from './stage.ts';

const person = (name: string, more: object = {}) => ({
  email: `${name}@example.com`,
  name,
  password: PASSWORD,
  state: 'Active',
  ...more,
});
const people = ['otp', 'stepup', 'bank', 'paper', 'kept', 'browser', 'guess', 'thief'];
const vault = { ...clients.web, client_id: 'vault', client_name: 'vault', require_mfa: true };

const stage = setStage({
  settings: { mfa: { administrators: 'required' }, limits: { signin_pair: { points: 5, window: '15m' } } },
  bootstrap: {
    ...bootstrap,
    clients: [...bootstrap.clients, vault],
    administrators: [{ email: 'admin@example.com', name: 'admin', password: PASSWORD }],
    users: [...bootstrap.users, ...people.map((name) => person(name))],
  },
});
const stepOf = ({ url }: { url: URL }) => url.pathname.split('/').at(-1);

type Person = ReturnType<typeof createPerson>;

/** Walks until the application is called back or the pages ask for something it was not told. */
async function walk(browser: Person, page: Page, name: string, answers: Record<string, () => string> = {}) {
  for (let steps = 0; page.status !== 0 && steps < 8; steps++) {
    const step = stepOf(page)!;
    const code = answers[step];
    if (code) page = await browser.submit(page, { code: code() });
    else if (step === 'identifier') page = await browser.submit(page, { identifier: `${name}@example.com` });
    else if (step === 'password') page = await browser.submit(page, { password: PASSWORD });
    else if (step === 'passkey-offer') page = await browser.submit(page, {}, { button: 'later' });
    else return page;
  }
  return page;
}

async function begin(clientId: string, parameters: Record<string, string> = {}) {
  const config = await discover(stage.cardea, clientId === 'vault' ? vault : clients.web);
  const verifier = oidc.randomPKCECodeVerifier();
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: CALLBACK,
    scope: 'openid',
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...parameters,
  });
  const claims = async ({ url: callback }: Page) =>
    (await oidc.authorizationCodeGrant(config, callback, { pkceCodeVerifier: verifier })).claims()!;
  return { url, claims };
}

/** Signs in and enrols an app in the account pages. */
async function enrol(name: string, browser = createPerson()) {
  let page = await walk(browser, await browser.open(`${stage.cardea.issuer}/account/security/totp`), name);
  const secret = secretOn(page.html);
  page = await browser.submit(page, { code: codeNow(secret) });
  const codes = codesOn(page.html);
  expect(codes).toHaveLength(10);
  await nextStep(stage.cardea);
  return { browser, secret, codes };
}

describe('a second factor', () => {
  it('is asked for after the password, once it is enrolled, and the tokens say so', async () => {
    const { secret } = await enrol('otp');
    const browser = createPerson();
    const { url, claims } = await begin('web');
    let page = await walk(browser, await browser.open(url), 'otp');
    expect(stepOf(page)).toBe('totp');
    const code = codeNow(secret);
    page = await browser.submit(page, { code: '000000' });
    expect([page.status, stepOf(page)]).toEqual([422, 'totp']);
    page = await browser.submit(page, { code });
    expect(await claims(page)).toMatchObject({ acr: 'urn:cardea:acr:mfa', amr: ['pwd', 'otp', 'mfa'] });
    // The same code signs nobody in a second time.
    const other = createPerson();
    page = await walk(other, await other.open((await begin('web')).url), 'otp');
    page = await other.submit(page, { code });
    expect([page.status, stepOf(page)]).toEqual([422, 'totp']);
  });

  it('cannot be walked around', async () => {
    await enrol('thief');
    const browser = createPerson();
    const page = await walk(browser, await browser.open((await begin('web')).url), 'thief');
    for (const step of ['totp-setup', 'recovery-codes', 'new-password', 'passkey-offer', 'consent', 'done', '']) {
      const there = await browser.open(new URL(`./${step}`, page.url));
      expect([step, stepOf(there)]).toEqual([step, 'totp']);
    }
    const session = await browser.open(`${stage.cardea.issuer}/account`);
    expect(session.url.pathname).toMatch(/^\/signin\//);
  });

  it('is asked for alone when an application wants more than the session has', async () => {
    const browser = createPerson();
    const first = await begin('web');
    const before = await first.claims(await walk(browser, await browser.open(first.url), 'stepup'));
    expect(before).toMatchObject({ acr: 'urn:cardea:acr:password', amr: ['pwd'] });
    const { secret } = await enrol('stepup');
    const up = await begin('web', { acr_values: 'urn:cardea:acr:mfa' });
    let page = await browser.open(up.url);
    expect(stepOf(page)).toBe('totp');
    page = await browser.submit(page, { code: codeNow(secret) });
    expect(await up.claims(page)).toMatchObject({ sub: before.sub, acr: 'urn:cardea:acr:mfa' });
    // What is stronger satisfies what is weaker, also where it is essential.
    const claims = JSON.stringify({ id_token: { acr: { essential: true, value: 'urn:cardea:acr:password' } } });
    expect((await browser.open((await begin('web', { claims })).url)).status).toBe(0);
    expect((await browser.open((await begin('vault')).url)).status).toBe(0);
  });

  it('that is missing is made on the way, where the application requires it', async () => {
    const browser = createPerson();
    const { url, claims } = await begin('vault');
    let page = await walk(browser, await browser.open(url), 'bank');
    expect(stepOf(page)).toBe('totp-setup');
    page = await browser.submit(page, { code: '000000' });
    expect(page.status).toBe(422);
    page = await browser.submit(page, { code: codeNow(secretOn(page.html)) });
    expect(stepOf(page)).toBe('recovery-codes');
    expect(codesOn(page.html)).toHaveLength(10);
    page = await walk(browser, await browser.submit(page), 'bank');
    expect(await claims(page)).toMatchObject({ amr: ['pwd', 'otp', 'mfa'] });
  });

  it('is a must for administrators where the setting says so', async () => {
    const browser = createPerson();
    const page = await walk(browser, await browser.open((await begin('web')).url), 'admin');
    expect(stepOf(page)).toBe('totp-setup');
  });

  it('with prompt=none is an error that says what is missing', async () => {
    const browser = createPerson();
    await walk(browser, await browser.open((await begin('web')).url), 'kept');
    for (const [client, more] of [
      ['web', { acr_values: 'urn:cardea:acr:mfa' }],
      ['vault', {}],
    ] as const) {
      const { url } = await browser.open((await begin(client, { prompt: 'none', ...more })).url);
      expect(url.searchParams.get('error')).toBe('unmet_authentication_requirements');
    }
  });

  it('is stood in for by a recovery code, once, and the owner is told', async () => {
    const { codes } = await enrol('paper');
    const use = async (code: string) => {
      const browser = createPerson();
      const page = await walk(browser, await browser.open((await begin('web')).url), 'paper');
      return walk(browser, await browser.click(page, 'Use a recovery code'), 'paper', { recovery: () => code });
    };
    expect((await use(codes[0]!)).status).toBe(0);
    const browser = createPerson();
    let page = await walk(browser, await browser.open((await begin('web')).url), 'paper');
    page = await browser.submit(await browser.click(page, 'Use a recovery code'), { code: codes[0] });
    expect(page.status).toBe(422);
    const subjects = (await stage.cardea.mailbox.list('paper@example.com')).map(({ subject }) => subject);
    expect(subjects).toContain('A recovery code was used');
  });

  it('is not asked for on a remembered device, until the password changes', async () => {
    const { secret } = await enrol('kept');
    const browser = createPerson();
    let page = await walk(browser, await browser.open((await begin('web')).url), 'kept');
    page = await browser.submit(page, { code: codeNow(secret), remember_device: true });
    page = await walk(browser, page, 'kept');
    expect(page.status).toBe(0);
    const again = async () => walk(browser, await browser.open((await begin('web', { prompt: 'login' })).url), 'kept');
    expect((await again()).status).toBe(0);
    // The application that asks itself gets what it asks for.
    const asked = await browser.open((await begin('vault')).url);
    expect(stepOf(asked)).toBe('totp');
    page = await browser.open(`${stage.cardea.issuer}/account/sessions`);
    expect(page.text).toContain('Remembered devices');
    await browser.submit(page, {}, { form: 'devices/forget' });
    expect(stepOf(await again())).toBe('totp');
  });

  it('can be guessed at only so often', async () => {
    await enrol('guess');
    const browser = createPerson();
    let page = await walk(browser, await browser.open((await begin('web')).url), 'guess');
    const statuses: number[] = [];
    for (let n = 0; n < 6; n++) {
      const answer = await browser.submit(page, { code: '123456' });
      statuses.push(answer.status);
      if (answer.status === 422) page = answer;
    }
    expect(statuses).toEqual([422, 422, 422, 422, 422, 429]);
  });

  it('works in a browser, and axe finds nothing', async () => {
    const walker = await stage.walk('browser');
    const signIn = async () => {
      await walker.submit({ identifier: 'browser@example.com' });
      const view = await walker.submit({ password: PASSWORD });
      return stepOf(view) === 'passkey-offer' ? walker.submit({}, { button: 'later' }) : view;
    };
    await walker.open(`${stage.cardea.issuer}/account/security/totp`);
    let view = await signIn();
    expect(view.html).toContain('<svg class="qr"');
    const secret = secretOn(view.html);
    await walker.submit({ code: codeNow(secret) });
    await nextStep(stage.cardea);
    const other = await stage.walk('browser');
    await other.open(`${stage.cardea.demo}/sign-in`);
    await other.submit({ identifier: 'browser@example.com' });
    view = await other.submit({ password: PASSWORD });
    expect(stepOf(view)).toBe('totp');
    view = await other.click('Use a recovery code');
    view = await other.click('Back');
    view = await other.submit({ code: codeNow(secret) });
    if (stepOf(view) === 'passkey-offer') view = await other.submit({}, { button: 'later' });
    view = await agree(other, view);
    expect(view.url.href).toBe(`${stage.cardea.demo}/`);
    expect([...walker.faults, ...other.faults]).toEqual([]);
    await walker.close();
    await other.close();
  });
});
