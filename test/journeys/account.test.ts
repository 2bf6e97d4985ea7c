import * as oidc from 'openid-client';
import { describe, expect, it } from 'vitest';
import { newId } from '../../src/platform/index.ts';
import type { Page } from '../support/client.ts';
import { OTHER_PASSWORD, PASSWORD } from '../support/flows.ts';
import { discover, signInWith } from '../support/oidc.ts';
import { bootstrap, CALLBACK, clients, createPerson } from '../support/seeds.ts';
import { codeNow, codesOn, nextStep, secretOn } from '../support/totp.ts';
import { accountsOf, arriveAs, type Person, setStage, signInAs } from './stage.ts';

const people = ['home', 'fresh', 'devices', 'apps', 'alarm', 'second', 'lively', 'told', 'looks'];
const stage = setStage({
  bootstrap: {
    ...bootstrap,
    users: [...bootstrap.users, ...accountsOf(people)],
  },
});
const stepOf = ({ url }: { url: URL }) => url.pathname.split('/').at(-1);
const at = (path: string) => `${stage.cardea.issuer}${path}`;

const arrive = (...who: [name: string, path?: string]) => arriveAs(stage, ...who);

/** As if the sign-in had been so long ago. */
const age = (name: string, minutes: number) =>
  stage.cardea.sql(
    `update session set auth_time = auth_time - $2 * interval '1 minute'
       where account_id = (select id from user_account where email = $1)`,
    [`${name}@example.com`, minutes],
  );

describe('the account pages', () => {
  it('ask for a sign-in, lead back to where one wanted to go, and hand out no token', async () => {
    const { browser, page } = await arrive('home', '/account/sessions');
    expect(page.url.pathname).toBe('/account/sessions');
    expect(page.way.map(({ url }) => url).join()).not.toMatch(/[?&]code=/);
    for (const path of ['', '/profile', '/security', '/applications', '/activity'])
      expect([path, (await browser.open(at(`/account${path}`))).status]).toEqual([path, 200]);
    const grants = await stage.cardea.sql('select 1 from refresh_token');
    expect(grants).toEqual([]);
  });

  it('lead nowhere else', async () => {
    const { browser } = await arrive('home');
    for (const state of [
      'https://evil.example',
      '//evil.example',
      '/account/../logout',
      '/account?x=1',
      '/authorize',
    ]) {
      const page = await browser.open(at(`/account/signed-in?state=${encodeURIComponent(state)}`));
      expect([state, page.url.pathname]).toEqual([state, '/account']);
    }
  });

  it('show and change the name', async () => {
    const { browser, page } = await arrive('home', '/account/profile');
    const saved = await browser.submit(page, { given_name: 'Ada', family_name: 'King', name: '<b>Ada</b>' });
    expect(saved.text).toContain('Your profile is saved.');
    expect(saved.html).not.toContain('<b>Ada</b>');
    expect((await browser.open(at('/account'))).text).toContain('<b>Ada</b>');
    const long = await browser.submit(saved, { given_name: 'x'.repeat(101) });
    expect(long.status).toBe(422);
  });

  it('ask for a fresh sign-in before a change that matters', async () => {
    const { browser, page } = await arrive('fresh', '/account/security/totp');
    await age('fresh', 9);
    expect((await browser.open(at('/account/security/totp'))).url.pathname).toBe('/account/security/totp');
    await age('fresh', 2);
    const asked = await browser.open(at('/account/security/totp'));
    expect(stepOf(asked)).toBe('password');
    // Looking is not changing.
    expect((await browser.open(at('/account/security'))).url.pathname).toBe('/account/security');
    const posted = await browser.submit(page, { code: codeNow(secretOn(page.html)) });
    expect(stepOf(posted)).toBe('password');
    expect(await stage.cardea.sql('select 1 from totp')).toEqual([]);
    expect((await signInAs(browser, asked, 'fresh')).url.pathname).toBe('/account/security/totp');
  });

  it('set up, renew and remove the second factor, and tell the owner', async () => {
    const { browser, page } = await arrive('second', '/account/security/totp');
    const first = codesOn((await browser.submit(page, { code: codeNow(secretOn(page.html)) })).html);
    expect(first).toHaveLength(10);
    await nextStep(stage.cardea);
    let security = await browser.open(at('/account/security'));
    expect(security.text).toContain('10 are left.');
    const second = codesOn((await browser.submit(security, {}, { form: 'recovery-codes' })).html);
    expect(second.filter((code) => first.includes(code))).toEqual([]);
    security = await browser.submit(await browser.open(at('/account/security')), {}, { form: 'totp/remove' });
    expect(security.text).toContain('The app is removed.');
    const told = async () => (await stage.cardea.mailbox.list('second@example.com')).map(({ subject }) => subject);
    await expect
      .poll(async () => (await told()).toSorted())
      .toEqual([
        'An authenticator app was set up',
        'New recovery codes were made',
        'Your authenticator app was removed',
      ]);
  });

  it('show where one is signed in, and end one, all others, or all', async () => {
    const [here, there, elsewhere] = [await arrive('devices'), await arrive('devices'), await arrive('devices')];
    const list = async () => here.browser.open(at('/account/sessions'));
    const others = (page: Page) => page.forms.filter(({ action }) => action === '/account/sessions/end');
    expect(others(await list())).toHaveLength(3);
    const isIn = async ({ browser }: { browser: Person }) =>
      (await browser.open(at('/account'))).url.pathname === '/account';
    // The list is by last use: this browser first, then the one that came last.
    const page = await list();
    const mine = /This device[\s\S]*?name="session" value="([\w-]+)"/.exec(page.html)![1];
    const other = others(page).find((form) => form.fields.every(({ value }) => value !== mine))!;
    const session = other.fields.find(({ name }) => name === 'session')!.value;
    await here.browser.submit(page, {}, { form: 'sessions/end', extra: { session } });
    expect([await isIn(here), [await isIn(there), await isIn(elsewhere)].filter(Boolean).length]).toEqual([true, 1]);
    const after = await here.browser.submit(await list(), {}, { form: 'end-others' });
    expect(after.text).toContain('All other devices are signed out.');
    expect([await isIn(here), await isIn(there), await isIn(elsewhere)]).toEqual([true, false, false]);
    await here.browser.submit(await list(), {}, { form: 'end-all' });
    expect(await isIn(here)).toBe(false);
  });

  it('cannot end what is another’s', async () => {
    const mine = await arrive('home', '/account/sessions');
    const theirs = await arrive('lively', '/account/sessions');
    const session = theirs.page.forms[0]!.fields.find(({ name }) => name === 'session')!.value;
    await mine.browser.submit(mine.page, {}, { form: 'sessions/end', extra: { session } });
    expect((await theirs.browser.open(at('/account'))).url.pathname).toBe('/account');
  });

  it('show the applications, and taking one back ends it there', async () => {
    const { browser } = await arrive('apps');
    const config = await discover(stage.cardea, clients.other);
    await signInWith(config, { person: browser });
    let page = await browser.open(at('/account/applications'));
    const shown = page.html.match(/<h2><bdi>[^<]*/g);
    expect(shown).toEqual(['<h2><bdi>other']);
    page = await browser.submit(page, {}, { form: 'withdraw' });
    expect(page.text).toContain('No application uses your account.');
    const live = await stage.cardea.sql(
      `select 1 from authorization_grant g join user_account u on u.id = g.account_id
         where u.email = 'apps@example.com' and g.ended_at is null and g.client_id = 'other'`,
    );
    expect(live).toEqual([]);
    const again = await browser.open(
      oidc.buildAuthorizationUrl(config, {
        redirect_uri: CALLBACK,
        scope: 'openid',
        ...{ code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' },
      }),
    );
    expect(stepOf(again)).toBe('consent');
  });

  it('tell what happened, of oneself alone', async () => {
    const { browser, page } = await arrive('lively', '/account/activity');
    expect(page.text).toContain('Signed in');
    for (let n = 0; n < 31; n++)
      await stage.cardea.sql(
        `insert into audit_event (id, type, at, actor_kind, subject)
           select gen_random_uuid(), 'user.updated', now(), 'system', id from user_account where email = 'lively@example.com'`,
      );
    const first = await browser.open(at('/account/activity'));
    const older = await browser.click(first, 'Older');
    expect(older.status).toBe(200);
    expect(older.url.search).toMatch(/before=/);
  });

  it('do not tell from where and with what somebody else worked on the account', async () => {
    const { browser } = await arrive('told');
    const told = async (kind: string, ip: string) => {
      await stage.cardea.sql(
        `insert into audit_event (id, type, at, actor_kind, actor_id, subject, ip, user_agent)
           select $1, 'user.updated', now(), $2, 'another', id, $3, 'Mozilla/5.0 (X11; CrOS x86_64) Firefox/140.0'
             from user_account where email = 'told@example.com'`,
        [newId(), kind, ip],
      );
      return (await browser.open(at('/account/activity'))).text;
    };
    for (const kind of ['administrator', 'client', 'system', 'user'])
      expect(await told(kind, '198.51.100.23')).not.toMatch(/198\.51\.100\.23|ChromeOS/);
    expect(await told('anonymous', '198.51.100.24')).toMatch(/ChromeOS · 198\.51\.100\.24/);
  });

  it('forget nothing of the form’s guard', async () => {
    const { browser, page } = await arrive('home', '/account/sessions');
    const { status } = await browser.submit(page, {}, { form: 'end-all', extra: { csrf: 'another' } });
    expect(status).toBe(403);
  });
});

describe('"this was not me"', () => {
  it('does nothing on a GET, locks on a POST, and leads back in by a letter', async () => {
    const owner = await arrive('alarm');
    const thief = await arrive('alarm');
    const letter = await stage.cardea.mailbox.next('alarm@example.com', 'security-notice');
    expect(letter.subject).toBe('New sign-in to your account');
    const reader = createPerson();
    const page = await reader.open(letter.link);
    expect(page.text).toContain('New sign-in to your account');
    await reader.open(letter.link);
    expect((await owner.browser.open(at('/account'))).url.pathname).toBe('/account');
    const locked = await reader.submit(page, {}, { form: 'not-me' });
    expect(locked.text).toContain('Your account is locked');
    for (const { browser } of [owner, thief])
      expect((await browser.open(at('/account'))).url.pathname).toMatch(/^\/signin\//);
    // The thief knew the password; it is worth nothing now, not even to choose another.
    const { page: refused } = await arrive('alarm');
    expect([refused.status, stepOf(refused)]).toEqual([422, 'password']);
    expect((await reader.submit(page, {}, { form: 'not-me' })).status).toBe(400);
    const reset = await stage.cardea.mailbox.next('alarm@example.com', 'reset-password');
    await reader.submit(await reader.open(reset.link), { password: OTHER_PASSWORD });
    const back = createPerson();
    expect((await signInAs(back, await back.open(at('/account')), 'alarm', OTHER_PASSWORD)).url.pathname).toBe(
      '/account',
    );
  });
});

describe('in a browser', () => {
  it.each(['light', 'dark'] as const)('every section looks right to axe, in %s', async (colorScheme) => {
    const walker = await stage.walk('browser', { colorScheme, viewport: { width: 1000, height: 800 } });
    await walker.open(at('/account'));
    await walker.submit({ identifier: 'looks@example.com' });
    const view = await walker.submit({ password: PASSWORD });
    if (stepOf(view) === 'passkey-offer') await walker.submit({}, { button: 'later' });
    for (const path of ['/profile', '/security', '/security/totp', '/sessions', '/applications', '/activity'])
      await walker.open(at(`/account${path}`));
    expect(walker.faults).toEqual([]);
    await walker.close();
  });
});
