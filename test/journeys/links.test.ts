import { describe, expect, it } from 'vitest';
import { freshAddress, OTHER_PASSWORD, PASSWORD, register, registerAndVerify, signIn } from '../support/flows.ts';
import { MODES, type Mode } from '../support/walker.ts';
import { setStage } from './stage.ts';

/** Letters are opened by scanners, twice, late, and in other browsers than the one that waits. */
const stage = setStage();

const newcomer = async (mode: Mode) => {
  const walker = await stage.walk(mode);
  const email = freshAddress();
  await walker.open(stage.cardea.demo);
  await walker.click('Create an account');
  await register(walker, { email, password: PASSWORD });
  return { walker, email, letter: await stage.cardea.mailbox.next(email, 'verify-address') };
};

const expireProofs = (email: string) =>
  stage.cardea.sql(`update one_time_proof set expires_at = issued_at where email = $1`, [email]);
const stateOf = async (email: string) =>
  (await stage.cardea.sql<{ state: string }>('select state from user_account where email = $1', [email]))[0]?.state;

describe.each(MODES)('with a %s', (mode) => {
  it('an expired verification link says so and sends a new letter', async () => {
    const { walker, email, letter } = await newcomer(mode);
    await expireProofs(email);
    let view = await walker.open(letter.link);
    if (walkerAsks(view.text)) view = await walker.submit();
    expect(view.status).toBeLessThan(500);
    expect(await stateOf(email)).toBe('Unverified');
    const address = view.html.includes('name="email"') ? { email } : {};
    await walker.submit(address);
    const again = await stage.cardea.mailbox.next(email, 'verify-address');
    expect(again.link).not.toBe(letter.link);
    await walker.open(again.link);
    await walker.submit();
    expect(await stateOf(email)).toBe('Active');
    expect(walker.faults).toEqual([]);
    await walker.close();
  });

  it('a wrong code and an expired code are told apart from nothing else, and a new one can be sent', async () => {
    const { walker, email, letter } = await newcomer(mode);
    let view = await walker.submit({ code: letter.code === '111111' ? '222222' : '111111' });
    expect(view.url.pathname).toMatch(/verify$/);
    await expireProofs(email);
    view = await walker.submit({ code: letter.code });
    expect(view.url.pathname).toMatch(/verify$/);
    expect(await stateOf(email)).toBe('Unverified');
    await walker.submit({}, { form: 'verify/send' });
    const { code } = await stage.cardea.mailbox.next(email, 'verify-address');
    view = await walker.submit({ code });
    expect(await stateOf(email)).toBe('Active');
    expect(walker.faults).toEqual([]);
    await walker.close();
  });

  it('a reset link works once, after a question, in any browser; its GET changes nothing', async () => {
    const walker = await stage.walk(mode);
    const email = freshAddress();
    await registerAndVerify(stage.cardea, walker, { email, password: PASSWORD });
    await walker.close();

    const forgetful = await stage.walk(mode);
    await forgetful.open(`${stage.cardea.issuer}/account/forgot`);
    await forgetful.submit({ email });
    const { link } = await stage.cardea.mailbox.next(email, 'reset-password');
    const other = await stage.walk(mode);
    for (let opened = 0; opened < 3; opened++) await other.open(link);
    let view = await other.submit({ password: OTHER_PASSWORD });
    expect(view.status).toBe(200);
    view = await other.open(link);
    expect(view.html).not.toContain('new-password"');
    expect(view.html).not.toContain(email);

    await forgetful.open(`${stage.cardea.demo}/sign-in`);
    view = await signIn(forgetful, { email, password: OTHER_PASSWORD });
    expect(view.url.href).toBe(`${stage.cardea.demo}/`);
    expect([...forgetful.faults, ...other.faults]).toEqual([]);
    await forgetful.close();
    await other.close();
  });

  it('an expired reset link offers a new one', async () => {
    const walker = await stage.walk(mode);
    const email = freshAddress();
    await registerAndVerify(stage.cardea, walker, { email, password: PASSWORD });
    await walker.open(`${stage.cardea.issuer}/account/forgot`);
    await walker.submit({ email });
    const { link } = await stage.cardea.mailbox.next(email, 'reset-password');
    await expireProofs(email);
    const view = await walker.open(link);
    expect(view.status).toBeLessThan(500);
    expect(view.html).not.toContain('autocomplete="new-password"');
    expect(view.html).toContain('/account/forgot');
    await walker.close();
  });

  it('a forged link is no more than an expired one', async () => {
    const walker = await stage.walk(mode);
    for (const path of [
      '/account/verify?token=forged',
      '/account/reset?token=forged',
      '/account/verify',
      '/account/reset',
    ]) {
      const view = await walker.open(`${stage.cardea.issuer}${path}`);
      expect(view.status).toBeLessThan(500);
      expect(view.html).not.toContain('autocomplete="new-password"');
    }
    expect(walker.faults).toEqual([]);
    await walker.close();
  });

  it('the well-known address leads to the change of a password, which asks for the old one', async () => {
    const walker = await stage.walk(mode);
    const email = freshAddress();
    await registerAndVerify(stage.cardea, walker, { email, password: PASSWORD });
    let view = await walker.open(`${stage.cardea.issuer}/.well-known/change-password`);
    expect(view.url.pathname).toBe('/account/password');
    view = await walker.submit({ current: 'not the old one', password: OTHER_PASSWORD });
    expect(view.status).toBe(422);
    view = await walker.submit({ current: PASSWORD, password: OTHER_PASSWORD });
    expect(view.status).toBe(200);
    await stage.cardea.mailbox.next(email, 'password-changed');
    expect(walker.faults).toEqual([]);
    await walker.close();
  });
});

/** The question “is this your address?” may come before the news that the link is too old. */
const walkerAsks = (text: string) => /confirm/i.test(text) && !/expired|old|again/i.test(text);
