import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { type Cardea, startCardea } from '../support/cardea.ts';
import {
  agree,
  freshAddress,
  OTHER_PASSWORD,
  PASSWORD,
  register,
  registerAndVerify,
  signIn,
  signOut,
} from '../support/flows.ts';
import { createWalker, MODES, type Walker } from '../support/walker.ts';

let cardea: Cardea;
// Many steps in a browser, on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let browser: Browser;
beforeAll(async () => {
  [cardea, browser] = await Promise.all([startCardea(), launchBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await cardea?.stop();
});

describe.each(MODES)('with a %s', (mode) => {
  const walk = (): Promise<Walker> => createWalker(mode, { browser, pictures: process.env.PICTURES });

  it('a newcomer registers, comes back signed in, signs out, forgets the password and signs in again', async () => {
    const walker = await walk();
    const email = freshAddress();

    let view = await registerAndVerify(cardea, walker, { email, password: PASSWORD });
    expect(view.url.href).toBe(`${cardea.demo}/`);
    expect(view.text).toContain('You are signed in');
    expect(view.text).toContain(email);
    expect(view.text).toMatch(/email_verified.{0,40}yes/);

    view = await walker.submit({}, { form: 'refresh' });
    expect(view.text).toContain('The provider gave us fresh tokens');

    view = await signOut(cardea, walker);
    expect(view.url.href).toBe(`${cardea.demo}/signed-out`);

    await walker.open(`${cardea.demo}/sign-in`);
    await walker.submit({ identifier: email });
    await walker.click('forgot');
    await walker.submit({ email });
    const { code } = await cardea.mailbox.next(email, 'reset-password');
    await walker.submit({ code });
    view = await agree(walker, await walker.submit({ password: OTHER_PASSWORD }));
    expect(view.url.href).toBe(`${cardea.demo}/`);
    await cardea.mailbox.next(email, 'password-changed');

    await signOut(cardea, walker);
    await walker.open(`${cardea.demo}/sign-in`);
    await walker.submit({ identifier: email });
    view = await walker.submit({ password: PASSWORD });
    expect(view.url.pathname).toMatch(/password$/);
    view = await walker.submit({ password: OTHER_PASSWORD });
    expect(view.url.href).toBe(`${cardea.demo}/`);

    expect(walker.faults).toEqual([]);
    await walker.close();
  });

  it('the link in the letter verifies after a question, and opening it changes nothing', async () => {
    const walker = await walk();
    const email = freshAddress();
    await walker.open(cardea.demo);
    await walker.click('Create an account');
    await register(walker, { email, password: PASSWORD });
    const { link } = await cardea.mailbox.next(email, 'verify-address');

    const tab = await walker.tab();
    for (let opened = 0; opened < 3; opened++) await tab.open(link);
    expect(await stateOf(email)).toBe('Unverified');
    await tab.submit();
    expect(await stateOf(email)).toBe('Active');

    // A link that was used says so, and how to go on.
    const again = await tab.open(link);
    expect(again.status).toBeLessThan(500);
    expect(again.text).not.toContain(email);

    await walker.open(`${cardea.demo}/sign-in`);
    const view = await signIn(walker, { email, password: PASSWORD });
    expect(view.url.href).toBe(`${cardea.demo}/`);
    expect(walker.faults).toEqual([]);
    await walker.close();
  });

  it('a known and an unknown address look the same at registration', async () => {
    const known = freshAddress();
    const first = await walk();
    await registerAndVerify(cardea, first, { email: known, password: PASSWORD });
    await first.close();

    const seen = [];
    for (const email of [known, freshAddress()]) {
      const walker = await walk();
      await walker.open(cardea.demo);
      await walker.click('Create an account');
      const view = await register(walker, { email, password: PASSWORD });
      seen.push([view.status, view.title, view.url.pathname.split('/').at(-1), view.text.replaceAll(/\S+@\S+/g, '…')]);
      await walker.close();
    }
    expect(seen[0]).toEqual(seen[1]);
    await cardea.mailbox.next(known, 'account-exists');
  });

  it('refused fields say what is wrong and keep what was typed, but no password', async () => {
    const walker = await walk();
    await walker.open(cardea.demo);
    await walker.click('Create an account');
    const email = freshAddress();
    const view = await walker.submit({ email, password: 'qwertyuiop' });
    expect(view.url.pathname).toMatch(/register$/);
    expect(view.status).toBe(422);
    expect(view.html).toContain(`value="${email}"`);
    expect(view.html).not.toContain('qwertyuiop');
    expect(walker.faults).toEqual([]);
    await walker.close();
  });
});

async function stateOf(email: string): Promise<string | undefined> {
  const [row] = await cardea.sql<{ state: string }>('select state from user_account where email = $1', [email]);
  return row?.state;
}
