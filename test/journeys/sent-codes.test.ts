import * as oidc from 'openid-client';
import { describe, expect, it } from 'vitest';
import type { Page } from '../support/client.ts';
import { told } from '../support/command.ts';
import { PASSWORD } from '../support/flows.ts';
import { discover } from '../support/oidc.ts';
import { bootstrap, CALLBACK, clients, createPerson } from '../support/seeds.ts';
import { codesOn } from '../support/totp.ts';
import { accountsOf, setStage } from './stage.ts';

/** Codes by letter and SMS, risk, and the way back of who has lost all of it, as people walk them. */

const people = ['texted', 'mailed', 'both', 'risky', 'barred', 'stranded', 'late'];
const vault = { ...clients.web, client_id: 'vault', client_name: 'vault', require_mfa: true };
const stage = setStage({
  settings: {
    mfa: { administrators: 'required', recovery_wait: '1h' },
    limits: { signin_pair: { points: 100, window: '15m' } },
    risk: {
      failures: { points: 3, window: '1h' },
      rules: [
        // All that tests do comes from one address: the rules go by the browser.
        { name: 'strangers', when: ['many_failures', 'new_device'], verdict: 'refuse' },
        { name: 'guessing', when: ['many_failures'], verdict: 'step_up' },
      ],
    },
  },
  bootstrap: {
    ...bootstrap,
    clients: [...bootstrap.clients, vault],
    users: [...bootstrap.users, ...accountsOf(people)],
  },
});
const stepOf = ({ url }: { url: URL }) => url.pathname.split('/').at(-1);
const at = (path: string) => `${stage.cardea.issuer}${path}`;
const address = (name: string) => `${name}@example.com`;
type Person = ReturnType<typeof createPerson>;

/** Walks until the application is called back or the pages ask for something it was not told. */
async function walk(browser: Person, page: Page, name: string, password = PASSWORD) {
  for (let steps = 0; page.status !== 0 && page.status < 400 && steps < 8; steps++) {
    const step = stepOf(page)!;
    if (step === 'identifier') page = await browser.submit(page, { identifier: address(name) });
    else if (step === 'password') page = await browser.submit(page, { password });
    else if (step === 'passkey-offer') page = await browser.submit(page, {}, { button: 'later' });
    else return page;
  }
  return page;
}

async function begin(client: 'web' | 'vault', parameters: Record<string, string> = {}) {
  const config = await discover(stage.cardea, client === 'vault' ? vault : clients.web);
  const verifier = oidc.randomPKCECodeVerifier();
  const url = oidc.buildAuthorizationUrl(config, {
    ...{ redirect_uri: CALLBACK, scope: 'openid', code_challenge_method: 'S256' },
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    ...parameters,
  });
  const claims = async ({ url: callback }: Page) =>
    (await oidc.authorizationCodeGrant(config, callback, { pkceCodeVerifier: verifier })).claims()!;
  return { url, claims };
}

const arrive = async (name: string, path: string, browser = createPerson()) => ({
  browser,
  page: await walk(browser, await browser.open(at(path)), name),
});

/** The code of the newest message there, which begins with it. */
const texted = async (number: string) => /^(\d{6}) /.exec((await stage.cardea.mailbox.next(number, 'sms')).text)![1]!;
const mailed = async (name: string) => (await stage.cardea.mailbox.next(address(name), 'signin-code')).code;

/** As if nothing had been sent for a minute. */
const aMinuteLater = () => stage.cardea.sql(`update sent_code set sent_at = sent_at - interval '1 minute'`);

async function setUp(name: string, kind: 'sms' | 'email', number = '') {
  const { browser, page } = await arrive(name, `/account/security/${kind}`);
  const sent = await browser.submit(page, kind === 'sms' ? { phone_number: number } : {}, { form: `security/${kind}` });
  expect(sent.text).toContain('We sent a code to');
  const wrong = await browser.submit(sent, { code: '1' });
  expect(wrong.status).toBe(422);
  const code = kind === 'sms' ? await texted(number) : await mailed(name);
  return { browser, page: await browser.submit(wrong, { code }) };
}

describe('codes that are sent', () => {
  it('by SMS are set up, asked for, sent again, and named in the tokens', async () => {
    const number = '+442079460100';
    const made = await setUp('texted', 'sms', number);
    expect(codesOn(made.page.html)).toHaveLength(10);
    await aMinuteLater();

    const browser = createPerson();
    const { url, claims } = await begin('vault');
    let page = await walk(browser, await browser.open(url), 'texted');
    expect(stepOf(page)).toBe('sms');
    expect(page.html).toContain('autocomplete="one-time-code"');
    expect(page.text).toContain('••• 00');
    expect(page.text).not.toContain('2079460100');
    const first = await texted(number);
    // Looked at again, none is sent anew.
    await browser.open(page.url);
    await aMinuteLater();
    page = await browser.submit(page, {}, { form: 'sms/send' });
    expect(page.text).toContain('We have sent a new code.');
    const second = await texted(number);
    if (first !== second) expect((await browser.submit(page, { code: first })).status).toBe(422);
    page = await walk(browser, await browser.submit(page, { code: second }), 'texted');
    expect(await claims(page)).toMatchObject({ acr: 'urn:cardea:acr:mfa', amr: ['pwd', 'sms', 'mfa'] });

    const security = await made.browser.open(at('/account/security'));
    const removed = await made.browser.submit(security, {}, { form: 'sms/remove' });
    expect(removed.text).toContain('No more codes are sent.');
  });

  it('by letter are a second factor, but not for who has just set the password by a letter', async () => {
    await setUp('mailed', 'email');
    await aMinuteLater();
    const browser = createPerson();
    const { url, claims } = await begin('web');
    let page = await walk(browser, await browser.open(url), 'mailed');
    expect(stepOf(page)).toBe('email-code');
    page = await walk(browser, await browser.submit(page, { code: await mailed('mailed') }), 'mailed');
    expect(await claims(page)).toMatchObject({ amr: ['pwd', 'otp', 'mfa'] });

    const reader = createPerson();
    page = await reader.open((await begin('vault')).url);
    page = await reader.click(page, 'Forgot password?');
    page = await reader.submit(page, { email: address('mailed') });
    const { code } = await stage.cardea.mailbox.next(address('mailed'), 'reset-password');
    page = await reader.submit(page, { code });
    page = await reader.submit(page, { password: `${PASSWORD} anew` });
    expect(stepOf(page)).toBe('totp-setup');
    expect(stepOf(await reader.open(new URL('./email-code', page.url)))).toBe('totp-setup');
  });

  it('stand in for one another, and none for what is not set up', async () => {
    const number = '+442079460101';
    await setUp('both', 'sms', number);
    const { browser: own } = await arrive('both', '/account');
    await own.open(at('/account'));
    const browser = createPerson();
    let page = await walk(browser, await browser.open((await begin('web')).url), 'both');
    expect(stepOf(page)).toBe('sms');
    for (const step of ['totp', 'email-code', 'totp-setup', 'refused', 'done'])
      expect([step, stepOf(await browser.open(new URL(`./${step}`, page.url)))]).toEqual([step, 'sms']);
    page = await browser.click(page, 'Use a recovery code');
    expect(stepOf(page)).toBe('recovery');
  });
});

describe('what is unusual about a sign-in', () => {
  const guess = async (name: string, times: number) => {
    const browser = createPerson();
    let page = await walk(browser, await browser.open((await begin('web')).url), name, 'wrong');
    for (let tries = 1; tries < times; tries++) page = await browser.submit(page, { password: 'wrong' });
    expect(page.status).toBe(422);
    return { browser, page };
  };

  it('asks for a code by letter of whoever has nothing else, in their own browser', async () => {
    const { browser: own } = await arrive('risky', '/account');
    await guess('risky', 3);
    own.cookies.take(new URL(at('/')), new Headers({ 'set-cookie': '_session=; Max-Age=0; Path=/' }));
    const page = await walk(own, await own.open((await begin('web', { prompt: 'login' })).url), 'risky');
    expect(stepOf(page)).toBe('email-code');
    const { url } = await walk(own, await own.submit(page, { code: await mailed('risky') }), 'risky');
    expect(url.searchParams.get('code')).toBeTruthy();
    const [row] = await stage.cardea.sql(`select reason, data from audit_event where type = 'signin.risk'`);
    expect(row).toEqual({
      reason: 'guessing: many_failures',
      data: { verdict: 'step_up', rule: 'guessing', signals: ['many_failures'] },
    });
  });

  it('refused looks like a wrong password, and the owner is told', async () => {
    await arrive('barred', '/account');
    const { browser, page } = await guess('barred', 3);
    const wrong = await browser.submit(page, { password: 'wrong' });
    const right = await browser.submit(page, { password: PASSWORD });
    expect([right.status, right.text, right.url.href]).toEqual([wrong.status, wrong.text, wrong.url.href]);
    expect(stepOf(await browser.open(at(new URL('.', page.url).pathname)))).toBe('password');
    const notice = await stage.cardea.mailbox.next(address('barred'), 'security-notice');
    expect(['New sign-in to your account', 'We refused a sign-in to your account']).toContain(notice.subject);
    const rows = await stage.cardea.sql(`select 1 from audit_event where data->>'rule' = 'strangers'`);
    expect(rows).toHaveLength(1);
  });
});

describe('policy', () => {
  it('a session from before administrators must have two factors is asked at the next authorization', async () => {
    const { browser } = await arrive('late', '/account');
    expect((await browser.open((await begin('web')).url)).status).toBe(0);
    await stage.cardea.sql(`update user_account set administrator = true where email = 'late@example.com'`);
    const asked = await browser.open((await begin('web')).url);
    expect(stepOf(asked)).toBe('totp-setup');
    const silent = await browser.open((await begin('web', { prompt: 'none' })).url);
    expect(silent.url.searchParams.get('error')).toBe('unmet_authentication_requirements');
  });
});

describe('who has lost every second factor', () => {
  it('gets a link from an administrator that works after a while, by a press, and makes a new factor', async () => {
    const number = '+442079460102';
    const { browser: own } = await setUp('stranded', 'sms', number);
    const { link } = (await told(stage.cardea, 'user', 'recovery-link', address('stranded'))) as { link: string };
    const browser = createPerson();
    const early = await browser.open(link);
    expect(early.text).toContain('Not yet');
    await stage.cardea.sql(`update recovery_link set works_from = works_from - interval '2 hours'`);
    const page = await browser.open(link);
    await browser.open(link);
    expect(await stage.cardea.sql(`select 1 from code_factor where number = '${number}'`)).toHaveLength(1);
    const done = await browser.submit(page);
    expect(done.text).toContain('Your second steps are gone');
    expect((await own.open(at('/account'))).url.pathname).toMatch(/^\/signin\//);
    expect((await browser.open(link)).status).toBe(400);
    const again = createPerson();
    expect(stepOf(await walk(again, await again.open((await begin('web')).url), 'stranded'))).toBe('totp-setup');
  });
});
