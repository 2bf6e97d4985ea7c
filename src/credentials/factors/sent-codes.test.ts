import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { credentialsRoom } from '../../../test/support/credentials.ts';
import { applyPreferences, readPreferences } from '../../users/index.ts';
import { createFactors } from './factors.ts';

let room: Awaited<ReturnType<typeof credentialsRoom>>;
beforeAll(async () => {
  const many = { points: 500, window: 3_600 };
  const limits = { registrationsSuspicious: many, smsToPrefix: many, smsPerDay: many };
  room = await credentialsRoom({ settings: { limits: limits as never } });
});
afterAll(() => room.stop());
afterEach(() => void vi.useRealTimers());

let addresses = 0;
const somewhere = () => ({ ip: `2001:db8:1:${(++addresses).toString(16)}::1`, userAgent: 'Firefox', locale: 'en' });
const later = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1_000);
const code = (error: unknown) => (error as { code?: string }).code ?? String(error);
let numbers = 0;
const aNumber = () => `+4420794${String(60_000 + numbers++).padStart(5, '0')}`;

async function person(more: object = {}) {
  const email = `p.${randomBytes(4).toString('hex')}@example.com`;
  const user = await room.users.create(
    { email, emailVerified: true, state: 'Active', ...more },
    { actor: { kind: 'system' } },
  );
  const from = somewhere();
  const scope = `account ${randomBytes(6).toString('hex')}`;
  const enrolBy = (number = aNumber()) => room.codeFactors.enrolBy({ user, kind: 'sms', number, scope, ...from });
  const enrol = (kind: 'sms' | 'email', given: string) =>
    room.secondFactors.enrolCodes(user, { kind, scope, code: given, ...from });
  return { user, email, from, scope, enrolBy, enrol };
}
const texted = (to?: string) => {
  const found = room.texts.filter((each) => !to || each.to === to).at(-1);
  return /^(\d{6})/.exec(found?.text ?? '')?.[1] ?? '';
};
const mailed = (to: string) =>
  room.letters.filter((each) => each.to === to && each.letter === 'signin-code').at(-1)?.params.code ?? '';

/** Somebody with codes by text message. */
async function withSms() {
  const one = await person();
  const number = aNumber();
  await one.enrolBy(number);
  const codes = await one.enrol('sms', texted(number));
  const send = (scope: string) => room.codeFactors.send({ user: one.user, kind: 'sms', scope, ...one.from });
  const prove = (given: string, scope: string) =>
    room.secondFactors.prove(one.user, 'sms', { code: given, scope, ...one.from });
  return { ...one, number, codes, send, prove };
}

describe('codes by text message', () => {
  it('are set up by a code that comes back, prove the number, and bring recovery codes', async () => {
    const ada = await person();
    await ada.enrolBy('+44 20 7946 0018');
    const { text, until } = room.texts.at(-1)!;
    // The last line is what browsers fill in by, on this host and no other.
    expect(text).toMatch(/\n\n@localhost #\d{6}$/);
    expect(until.getTime() - Date.now()).toBeLessThanOrEqual(600_000);
    expect(await ada.enrol('sms', '12345').catch(code)).toBe('code.refused');
    expect(await ada.enrol('sms', texted())).toHaveLength(10);
    expect(await room.factors.of(ada.user.id)).toMatchObject({ sms: true, recoveryCodes: 10 });
    expect((await room.users.byId(ada.user.id))!.profile).toMatchObject({
      phone_number: '+442079460018',
      phone_number_verified: true,
    });
    const told = room.letters
      .filter(({ to }) => to === ada.email)
      .map(({ params }) => (params as { what?: string }).what);
    expect(told).toContain('sms-codes-added');
  });

  it('count once, in the sign-in they were sent for, for minutes', async () => {
    const ada = await withSms();
    vi.useFakeTimers({ toFake: ['Date'] });
    await ada.send('signin one');
    const given = texted(ada.number);
    expect(await ada.prove(given, 'signin two').catch(code)).toBe('code.refused');
    const thief = await withSms();
    expect(await thief.prove(given, 'signin one').catch(code)).toBe('code.refused');
    await ada.prove(given, 'signin one');
    expect(await ada.prove(given, 'signin one').catch(code)).toBe('code.refused');
    await ada.send('signin three');
    later(601);
    expect(await ada.prove(texted(ada.number), 'signin three').catch(code)).toBe('code.refused');
  });

  it('64 submissions of one code at once prove it once', async () => {
    const ada = await withSms();
    await ada.send('signin race');
    const given = texted(ada.number);
    const outcomes = await Promise.all(
      Array.from({ length: 64 }, () => ada.prove(given, 'signin race').then(() => 'proved', code)),
    );
    expect(outcomes.filter((outcome) => outcome === 'proved')).toHaveLength(1);
  });

  it('64 submissions of one code by letter at once prove it once', async () => {
    const ada = await person();
    await room.codeFactors.enrolBy({ user: ada.user, kind: 'email', scope: ada.scope, ...ada.from });
    expect(await ada.enrol('email', mailed(ada.email))).toHaveLength(10);
    await room.codeFactors.send({ user: ada.user, kind: 'email', scope: 's', ...ada.from });
    const given = mailed(ada.email);
    const outcomes = await Promise.all(
      Array.from({ length: 64 }, () =>
        room.secondFactors
          .prove(ada.user, 'email', { code: given, scope: 's', ...ada.from })
          .then(() => 'proved', code),
      ),
    );
    expect(outcomes.filter((outcome) => outcome === 'proved')).toHaveLength(1);
  });

  it('die after five wrong guesses, and guesses are counted apart from the password’s', async () => {
    const ada = await withSms();
    await ada.send('signin guess');
    const given = texted(ada.number);
    const wrong = given === '000000' ? '111111' : '000000';
    for (let tries = 0; tries < 5; tries++)
      expect(await ada.prove(wrong, 'signin guess').catch(code)).toBe('code.refused');
    expect(await ada.prove(given, 'signin guess').catch(code)).toMatch(/code.refused|limit.exceeded/);
    const attempt = await room.attempts.before({ identifier: ada.email, ip: ada.from.ip });
    expect(attempt.allowed).toBe(true);
    expect(await room.codeFactors.open('signin guess', 'sms')).toBeUndefined();
  });

  it('are stored so that the table alone allows no guessing', async () => {
    const ada = await withSms();
    await ada.send('signin stored');
    const rows = JSON.stringify(await room.db.query('select * from sent_code'));
    expect(rows).not.toContain(texted(ada.number));
    expect(rows).not.toContain('signin stored');
  });

  it('go to no country that is not listed, and to no number that is none', async () => {
    const ada = await person();
    for (const [number, refused] of [
      ['+33 1 42 68 53 00', 'phone.country_refused'],
      ['+881 612345678', /phone\./],
      ['+44 1', 'phone.invalid'],
      ['020 7946 0018', 'phone.invalid'],
      ['+44 20 7946 0018;ext=9', 'phone.invalid'],
      ['x'.repeat(10_000), 'phone.invalid'],
    ] as const)
      expect(await ada.enrolBy(number).catch(code)).toMatch(refused);
    expect(room.texts.some(({ to }) => to.startsWith('+33'))).toBe(false);
  });

  it('cannot be pumped: to a number, for an account, from an address', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const number = aNumber();
    const sentTo: string[] = [];
    for (let tries = 0; tries < 7; tries++) {
      const ada = await person();
      sentTo.push(await ada.enrolBy(number).then(() => 'sent', code));
    }
    expect(sentTo).toEqual([...Array(5).fill('sent'), 'limit.exceeded', 'limit.exceeded']);
    const ada = await person();
    const asked: string[] = [];
    for (let tries = 0; tries < 12; tries++) {
      asked.push(await ada.enrolBy().then(() => 'sent', code));
      later(31);
    }
    expect(asked.filter((outcome) => outcome === 'sent')).toHaveLength(10);
    const soon = await person();
    await soon.enrolBy();
    expect(await soon.enrolBy().catch(code)).toBe('code.too_soon');
  });
});

describe('what concerns the safety of an account', () => {
  const told = (number: string) => room.texts.filter(({ to, text }) => to === number && text.includes('not-me'));
  const notice = async (id: string) => room.notices.tell((await room.users.byId(id))!, 'totp-removed', somewhere());
  const want = async (id: string, sms: boolean) =>
    room.users.update(id, { actor: { kind: 'system' } }, (known) =>
      applyPreferences(known, readPreferences({ notifications: { security: { sms } } })),
    );

  it('is told by text message as well to whoever wants that, at a number they have proved', async () => {
    const { user, number, email } = await withSms();
    await notice(user.id);
    expect(told(number)).toEqual([]);
    await want(user.id, true);
    await notice(user.id);
    expect(told(number)).toHaveLength(1);
    // The link is the letter's: either is good, once.
    const { token } = room.letters.filter(({ to }) => to === email).at(-1)!;
    expect(told(number)[0]!.text).toContain(token);
    await room.users.update(user.id, { actor: { kind: 'system' } }, (known) => {
      known.profile = { ...known.profile, phone_number_verified: false };
    });
    await notice(user.id);
    expect(told(number)).toHaveLength(1);
    expect(await room.notices.lately(user.id)).toMatchObject([
      { what: 'totp-removed' },
      { what: 'totp-removed' },
      { what: 'totp-removed' },
      { what: 'sms-codes-added' },
    ]);
  });

  it('costs no more messages than others do, and the letters go on', async () => {
    const { user, number, email } = await withSms();
    await want(user.id, true);
    for (let times = 0; times < 12; times++) await notice(user.id);
    expect(told(number).length).toBeLessThan(6);
    expect(room.letters.filter(({ to, letter }) => to === email && letter === 'security-notice')).toHaveLength(13);
  });
});

describe('which factor is asked for', () => {
  const usual = { proved: ['pwd'], requested: [], demanded: false, device: undefined };

  it('codes by letter count for nothing where the mailbox was the first factor', async () => {
    const ada = await person();
    await room.codeFactors.enrolBy({ user: ada.user, kind: 'email', scope: ada.scope, ...ada.from });
    await ada.enrol('email', mailed(ada.email));
    const missing = (more: object) => room.factors.missing({ user: ada.user, ...usual, ...more });
    expect(await missing({})).toBe('email-code');
    expect(await missing({ mailbox: true })).toBeUndefined();
    expect(await missing({ mailbox: true, demanded: true })).toBe('totp-setup');
    expect(await room.factors.choices(ada.user.id, { mailbox: true })).toEqual([]);
  });

  it('a risk asks whoever has nothing for a code by letter, and lets nobody enrol on the way', async () => {
    const ada = await person();
    const missing = (more: object) => room.factors.missing({ user: ada.user, ...usual, risky: true, ...more });
    expect(await missing({})).toBe('email-code');
    expect(await missing({ proved: ['pwd', 'otp'] })).toBeUndefined();
    expect(await missing({ mailbox: true })).toBeUndefined();
    const cookie = await room.rememberedDevices.remember(ada.user.id, { userAgent: 'x', ip: '::1' });
    expect(await missing({ device: cookie })).toBe('email-code');
  });

  it('groups must have one, sessions from before are not enough, and a remembered device is', async () => {
    const ada = await person();
    const { db, users, rememberedDevices } = room;
    const factors = createFactors({
      ...{ db, users, rememberedDevices, administrators: 'offered', groups: ['Finance'] },
      groupsOf: async (id) => (id === ada.user.id ? [{ id: 'g', displayName: 'Finance' }] : []),
    });
    const grace = await person();
    expect(await factors.missing({ user: ada.user, ...usual })).toBe('totp-setup');
    expect(await factors.missing({ user: grace.user, ...usual })).toBeUndefined();
    const acr = 'urn:cardea:acr:password';
    const suffices = (userId: string, more: object = {}) =>
      factors.suffices({ userId, acr, device: undefined, ...more });
    expect(await suffices(ada.user.id)).toBe(false);
    expect(await suffices(grace.user.id)).toBe(true);
    expect(await suffices(ada.user.id, { acr: 'urn:cardea:acr:mfa' })).toBe(true);
    const device = await rememberedDevices.remember(ada.user.id, { userAgent: 'x', ip: '::1' });
    expect(await suffices(ada.user.id, { device })).toBe(true);
  });
});

describe('an administrator’s recovery link', () => {
  const by = { actor: { kind: 'administrator' as const, id: 'admin' }, reason: 'lost phone' };
  const use = (link: string) => room.recoveryLinks.use({ link, ip: '203.0.113.9', locale: 'en' });
  const tokenOf = (link: string) => new URL(link).searchParams.get('token')!;

  it('does nothing before its time, takes every second factor after it, once, and a new one must be made', async () => {
    const ada = await withSms();
    vi.useFakeTimers({ toFake: ['Date'] });
    const { link, worksFrom } = await room.recoveryLinks.issue({ userId: ada.user.id, by });
    const token = tokenOf(link);
    expect(await room.recoveryLinks.peek(token)).toMatchObject({ waiting: true, worksFrom });
    expect(await use(token).catch(code)).toBe('recovery.too_early');
    expect((await room.factors.of(ada.user.id)).sms).toBe(true);

    later(43_201);
    await room.recoveryLinks.remind();
    await room.recoveryLinks.remind();
    const told = room.letters
      .filter(({ to }) => to === ada.email)
      .map(({ params }) => (params as { what?: string }).what);
    expect(told.filter((what) => what?.startsWith('recovery-link'))).toEqual([
      'recovery-link-issued',
      'recovery-link-works',
    ]);

    later(43_201);
    const outcomes = await Promise.all(Array.from({ length: 64 }, () => use(token).then(() => 'used', code)));
    expect(outcomes.filter((outcome) => outcome === 'used')).toHaveLength(1);
    expect(await room.factors.of(ada.user.id)).toMatchObject({
      sms: false,
      totp: false,
      recoveryCodes: 0,
      passkeys: 0,
    });
    expect(room.ended.at(-1)).toMatchObject({ accountId: ada.user.id });
    const missing = { user: ada.user, proved: ['pwd'], requested: [], demanded: false, device: undefined };
    expect(await room.factors.missing(missing)).toBe('totp-setup');
    const types = (await room.events.history({ subject: ada.user.id })).map(({ type }) => type);
    expect(types).toContain('credential.recovery_link_issued');
    expect(types).toContain('credential.recovery_link_used');
  });

  it('lets neither its administrator alone nor a reader of the mail in', async () => {
    const ada = await withSms();
    await room.passwords.set(ada.user.id, 'seven quiet otters read maps');
    vi.useFakeTimers({ toFake: ['Date'] });
    const { link } = await room.recoveryLinks.issue({ userId: ada.user.id, by });
    later(86_401);
    await room.recoveryLinks.remind();
    // No letter carries it: who reads the mail cannot use it, and can stop it like its owner.
    const letters = room.letters.filter(({ to }) => to === ada.email);
    expect(letters.filter(({ token }) => token === tokenOf(link))).toEqual([]);
    await use(tokenOf(link));
    // Who has only the link has proved nothing: the password stands, and nobody was signed in.
    expect(await room.passwords.check(ada.user.id, 'seven quiet otters read maps')).toBe(true);
    expect(await room.db.query('select 1 from session where account_id = $1', [ada.user.id])).toEqual([]);
  });

  it('is stopped by "this was not me", by its administrator, and by a newer one', async () => {
    const ada = await withSms();
    const first = tokenOf((await room.recoveryLinks.issue({ userId: ada.user.id, by })).link);
    const second = tokenOf((await room.recoveryLinks.issue({ userId: ada.user.id, by })).link);
    expect(await room.recoveryLinks.peek(first).catch(code)).toBe('recovery.link_refused');
    expect(await room.recoveryLinks.cancel(ada.user.id, by)).toBe(true);
    expect(await room.recoveryLinks.peek(second).catch(code)).toBe('recovery.link_refused');
    const third = tokenOf((await room.recoveryLinks.issue({ userId: ada.user.id, by })).link);
    const notice = room.letters.filter(({ to, letter }) => to === ada.email && letter === 'security-notice').at(-1)!;
    await room.notices.lock({ link: notice.token, ip: '::1', locale: 'en' });
    expect(await use(third).catch(code)).toBe('recovery.link_refused');
    expect(await use('made up').catch(code)).toBe('recovery.link_refused');
    expect((await room.factors.of(ada.user.id)).sms).toBe(true);
  });
});
