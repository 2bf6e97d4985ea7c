import axe from 'axe-core';
import type { BrowserContext, CDPSession, Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { freshAddress, PASSWORD, registerAndVerify } from '../support/flows.ts';
import { setStage } from './stage.ts';

/** The life of a passkey, in Chromium with the DevTools' virtual authenticator. */

const stage = setStage();

interface Player {
  page: Page;
  context: BrowserContext;
  credentials(): Promise<{ credentialId: string }[]>;
  faults: string[];
  look(): Promise<void>;
}

/** @param autofill whether this browser can: the virtual device then picks what a field suggests by itself, and at once */
async function player({ autofill }: { autofill: boolean }): Promise<Player> {
  const context = await stage.browser.newContext({ locale: 'en' });
  context.setDefaultTimeout(15_000);
  if (!autofill) await context.addInitScript('PublicKeyCredential.isConditionalMediationAvailable = async () => false');
  const page = await context.newPage();
  const cdp: CDPSession = await context.newCDPSession(page);
  await cdp.send('WebAuthn.enable', { enableUI: false });
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      ctap2Version: 'ctap2_1',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  const faults: string[] = [];
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  page.on('pageerror', (error) => faults.push(error.message));
  return {
    page,
    context,
    faults,
    credentials: async () => (await cdp.send('WebAuthn.getCredentials', { authenticatorId })).credentials,
    async look() {
      await page.waitForLoadState('load');
      await page.evaluate(axe.source);
      const { violations } = (await page.evaluate('axe.run()')) as axe.AxeResults;
      for (const { id, nodes } of violations) faults.push(`${page.url()}: ${id}: ${nodes[0]?.html}`);
    },
  };
}

async function newPerson(): Promise<string> {
  const email = freshAddress();
  const walker = await stage.walk('plain client');
  await registerAndVerify(stage.cardea, walker, { email, password: PASSWORD });
  return email;
}

async function password(page: Page, email: string) {
  await page.fill('[name=identifier]', email);
  await page.click('button.primary');
  await page.waitForFunction(() => document.querySelector<HTMLInputElement>('[data-passkey-able]')?.value === 'yes');
  await page.fill('[name=password]', PASSWORD);
  await page.click('form:has([name=password]) button.primary');
}

/** Signs in with a password, takes the offer, and leaves the browser without a session. */
async function withPasskey(person: Player, email: string) {
  const { page } = person;
  await page.goto(`${stage.cardea.demo}/sign-in`);
  await password(page, email);
  await page.waitForURL(/passkey-offer/);
  await page.click('[data-passkey=create] [data-passkey-button]');
  await page.waitForURL(`${stage.cardea.demo}/`);
  await signOut(person);
}

/** By letter, among others of the kind. */
async function told(email: string, what: RegExp) {
  for (let left = 5; left > 0; left--) {
    if (what.test((await stage.cardea.mailbox.next(email, 'security-notice')).text)) return;
  }
  throw new Error(`no letter says ${what}`);
}

const signOut = async ({ context }: Player) => context.clearCookies();

it('is offered after a password, signs in by the button, and stays gone once removed', {
  timeout: 120_000,
}, async () => {
  const email = await newPerson();
  const { demo, issuer } = stage.cardea;
  const ada = await player({ autofill: false });
  const { page } = ada;

  // The offer, made with a press.
  await page.goto(`${demo}/sign-in`);
  await ada.look();
  await password(page, email);
  await page.waitForURL(/passkey-offer/);
  await ada.look();
  await page.click('[data-passkey=create] [data-passkey-button]');
  await page.waitForURL(`${demo}/`);
  expect(await ada.credentials()).toHaveLength(1);
  await told(email, /passkey/i);

  // The button, with nothing typed.
  await signOut(ada);
  await page.goto(`${demo}/sign-in`);
  await page.click('[data-passkey=get] [data-passkey-button]');
  await page.waitForURL(`${demo}/`);
  expect(await page.textContent('main')).toContain(email);

  // A passkey takes nothing from a password that opens the account by itself.
  await page.goto(`${issuer}/account`);
  expect(await page.textContent('main')).toContain('Your password is still enough by itself');

  // The account's page: seen, named, removed.
  await page.goto(`${issuer}/account/passkeys`);
  await ada.look();
  await page.click('summary:has-text("Rename")');
  await page.fill('[name=name]', 'My phone');
  await page.click('details[open] button');
  await page.waitForURL(/done=renamed/);
  expect(await page.textContent('main')).toContain('My phone');
  await page.click('summary:has-text("Remove")');
  await page.click('details[open] button');
  await page.waitForURL(/done=removed/);
  await ada.look();
  await told(email, /passkey/i);

  // The page told the device which of them still count (Signal API), so it no longer suggests the one removed.
  await expect.poll(async () => (await ada.credentials()).length).toBe(0);
  expect(ada.faults).toEqual([]);
  await ada.context.close();
});

it('is suggested in the field for the address (autofill), and added on the account page', {
  timeout: 120_000,
}, async () => {
  const email = await newPerson();
  const { demo, issuer } = stage.cardea;
  const ada = await player({ autofill: true });
  const { page } = ada;
  await page.goto(`${demo}/sign-in`);
  await password(page, email);
  await page.waitForURL(/passkey-offer/);
  await page.click('button[name=later]');
  await page.waitForURL(`${demo}/`);

  // "Not now" is remembered in this browser.
  await ada.context.clearCookies({ name: /^(?!passkey-later)/ });
  await page.goto(`${demo}/sign-in`);
  await password(page, email);
  await page.waitForURL(`${demo}/`);

  await page.goto(`${issuer}/account/passkeys`);
  await page.click('[data-passkey=create] [data-passkey-button]');
  await page.waitForURL(/done=added/);
  await ada.look();
  await page.click('[data-passkey=create] [data-passkey-button]');
  await page.waitForSelector('[data-passkey-problem]:not([hidden])');
  expect(await page.textContent('[data-passkey-problem]')).toContain('already');

  await signOut(ada);
  await page.goto(`${demo}/sign-in`);
  await page.waitForURL(`${demo}/`);
  expect(await page.textContent('main')).toContain(email);
  expect(ada.faults).toEqual([]);
  await ada.context.close();
});

it('is the second factor where an application asks for two', { timeout: 120_000 }, async () => {
  const email = await newPerson();
  const { demo } = stage.cardea;
  const ada = await player({ autofill: false });
  const { page } = ada;
  await withPasskey(ada, email);
  await page.goto(`${demo}/sign-in?acr_values=urn:cardea:acr:mfa`);
  await password(page, email);
  await page.waitForURL(/\/passkey$/);
  await ada.look();
  await page.click('[data-passkey=get] [data-passkey-button]');
  await page.waitForURL(`${demo}/`);
  expect(ada.faults).toEqual([]);
  await ada.context.close();
});

it('makes an account without any password', { timeout: 120_000 }, async () => {
  const email = freshAddress();
  const { demo, mailbox, sql } = stage.cardea;
  const ada = await player({ autofill: false });
  const { page } = ada;
  await page.goto(`${demo}/sign-in`);
  await page.click('a[href$="/register"]');
  await page.waitForSelector('[name=with]:visible');
  await ada.look();
  await page.fill('[name=email]', email);
  await page.click('[name=with]');
  await page.waitForURL(/verify/);
  await page.fill('[name=code]', (await mailbox.next(email, 'verify-address')).code);
  await page.click('button.primary');
  await page.waitForURL(/passkey-offer/);
  await page.click('[data-passkey=create] [data-passkey-button]');
  await page.click('button[value=allow]');
  await page.waitForURL(`${demo}/`);
  expect(await sql('select 1 from password join user_account on id = user_id where email = $1', [email])).toEqual([]);

  await signOut(ada);
  await page.goto(`${demo}/sign-in`);
  await page.click('[data-passkey=get] [data-passkey-button]');
  await page.waitForURL(`${demo}/`);

  await page.goto(`${stage.cardea.issuer}/account`);
  expect(await page.textContent('main')).toContain('protected by more than a password');

  // The only way in: it stays.
  await page.goto(`${stage.cardea.issuer}/account/passkeys`);
  await page.click('summary:has-text("Remove")');
  await page.click('details[open] button');
  await page.waitForSelector('[role=alert][data-focus]');
  expect(await page.textContent('main')).toContain('only way into your account');
  await ada.look();
  expect(await ada.credentials()).toHaveLength(1);
  expect(ada.faults.filter((fault) => !fault.includes('409') && !fault.includes('422'))).toEqual([]);
  await ada.context.close();
});

it('a suspended person is told so; one that nobody has is refused in words and forgotten', {
  timeout: 120_000,
}, async () => {
  const email = await newPerson();
  const { demo, sql } = stage.cardea;
  const ada = await player({ autofill: true });
  const { page } = ada;
  const lastWhy = async () => {
    const [event] = await sql<{ data: { why: string } }>(
      `select data from audit_event where type = 'signin.failed' order by at desc limit 1`,
    );
    return event?.data.why;
  };
  await withPasskey(ada, email);
  await sql(`update user_account set state = 'Suspended' where email = $1`, [email]);
  await page.goto(`${demo}/sign-in`);
  await page.waitForSelector('[role=alert][data-focus]');
  expect(await page.textContent('main')).toContain('can’t be used right now');
  expect(await lastWhy()).toBe('account.stopped');

  await sql('delete from passkey where user_id = (select id from user_account where email = $1)', [email]);
  await page.goto(`${demo}/sign-in`);
  await page.waitForSelector('[role=alert][data-focus]');
  expect(await page.textContent('main')).toContain('not known here');
  await ada.look();
  expect(await lastWhy()).toBe('passkey.unknown');
  await expect.poll(async () => (await ada.credentials()).length).toBe(0);
  await ada.context.close();
});

it('tells other software where passkeys are looked after, and which origins share them', async () => {
  const { issuer } = stage.cardea;
  const read = async (path: string) => {
    const response = await fetch(`${issuer}/.well-known/${path}`);
    expect(response.headers.get('content-type')).toContain('application/json');
    return response.json();
  };
  expect(await read('passkey-endpoints')).toEqual({
    enroll: `${issuer}/account/passkeys`,
    manage: `${issuer}/account/passkeys`,
  });
  expect(await read('webauthn')).toEqual({ origins: [issuer] });
});
