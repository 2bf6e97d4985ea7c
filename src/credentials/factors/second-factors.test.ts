import { Secret, TOTP } from 'otpauth';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { credentialsRoom } from '../../../test/support/credentials.ts';
import { createVault } from '../../platform/index.ts';
import { createTotp } from './totp.ts';

let room: Awaited<ReturnType<typeof credentialsRoom>>;
beforeAll(async () => {
  room = await credentialsRoom();
});
afterEach(() => {
  vi.useRealTimers();
});
afterAll(() => room.stop());

let people = 0;
const somebody = (more: object = {}) =>
  room.users.create(
    { email: `second.${++people}@example.com`, state: 'Active', ...more },
    { actor: { kind: 'system' } },
  );
const from = { ip: '203.0.113.9', userAgent: 'a browser', locale: 'en' };
const at = (iso: string) => vi.useFakeTimers({ toFake: ['Date'], now: new Date(iso) });
const codeOf = (secret: string, shift = 0) =>
  new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: Date.now() + shift * 1000 });

async function enrolled(more: object = {}) {
  const user = await somebody(more);
  const { token, secret } = room.secondFactors.beginTotp(user);
  const codes = await room.secondFactors.enrolTotp(user, { ...from, token, code: codeOf(secret) });
  return { user, secret, codes };
}
const later = (minutes: number) => vi.setSystemTime(Date.now() + minutes * 60_000);

describe('a one-time code', () => {
  it('is what RFC 6238 says it is (appendix B)', () => {
    const secret = Secret.fromLatin1('12345678901234567890');
    const totp = new TOTP({ secret, digits: 8 });
    expect([59, 1111111109, 20000000000].map((s) => totp.generate({ timestamp: s * 1000 }))).toEqual([
      '94287082',
      '07081804',
      '65353130',
    ]);
  });

  it('is right one step early and late, and no further', async () => {
    at('2026-11-21T10:00:10Z');
    const { user, secret } = await enrolled();
    later(10);
    for (const [shift, right] of [
      [-60, false],
      [60, false],
      [-30, true],
      [0, true],
      [30, true],
    ] as const)
      expect([shift, await room.totp.check(user.id, codeOf(secret, shift))]).toEqual([shift, right]);
  });

  it('is accepted once, and none older after it', async () => {
    at('2026-11-21T10:00:10Z');
    const { user, secret } = await enrolled();
    // The code that enrolled signs nobody in.
    expect(await room.totp.check(user.id, codeOf(secret))).toBe(false);
    later(5);
    expect(await room.totp.check(user.id, codeOf(secret, 30))).toBe(true);
    expect(await room.totp.check(user.id, codeOf(secret, 30))).toBe(false);
    expect(await room.totp.check(user.id, codeOf(secret))).toBe(false);
  });

  it('of 64 at once lets one in', async () => {
    at('2026-11-21T10:00:10Z');
    const { user, secret } = await enrolled();
    later(5);
    const code = codeOf(secret);
    const tries = await Promise.all(Array.from({ length: 64 }, () => room.totp.check(user.id, code)));
    expect(tries.filter(Boolean)).toHaveLength(1);
  });

  it('is kept sealed for its person alone', async () => {
    const { user, secret } = await enrolled();
    const [row] = await room.db.query<{ secret: string }>('select secret from totp where user_id = $1', [user.id]);
    expect(row!.secret).not.toContain(secret);
    const other = await enrolled();
    await room.db.query('update totp set secret = $1 where user_id = $2', [row!.secret, other.user.id]);
    await expect(room.totp.check(other.user.id, codeOf(secret, 30))).rejects.toThrow();
    await room.totp.remove(other.user.id);
  });

  it('has a budget of its own, which a wait follows', async () => {
    const { user } = await enrolled();
    const tries: string[] = [];
    for (let n = 0; n < 7; n++) {
      await room.secondFactors
        .prove(user, 'totp', { ...from, code: '000000' })
        .catch((error: { code: string }) => tries.push(error.code));
    }
    expect(tries).toEqual([...Array(5).fill('totp.code_refused'), 'limit.exceeded', 'limit.exceeded']);
    // Neither the password nor the recovery codes are the worse for it.
    const attempt = { identifier: user.email!, userId: user.id, ip: from.ip };
    expect(await room.attempts.before(attempt)).toMatchObject({ allowed: true });
    await expect(room.secondFactors.prove(user, 'recovery', { ...from, code: 'x' })).rejects.toMatchObject({
      code: 'recovery.code_refused',
    });
  });
});

describe('enrolling', () => {
  it('takes the code of the secret shown, in time, for the person it was shown to, once', async () => {
    at('2026-11-21T10:00:10Z');
    const user = await somebody();
    const setup = room.secondFactors.beginTotp(user);
    const enrol = (token: string, code: string, who = user) =>
      room.secondFactors.enrolTotp(who, { ...from, token, code });
    expect(setup.uri).toContain(`secret=${setup.secret}`);
    await expect(enrol(setup.token, '000000')).rejects.toMatchObject({ code: 'totp.code_refused' });
    await expect(enrol('made.up', '000000')).rejects.toMatchObject({ code: 'totp.setup_expired' });
    const code = codeOf(setup.secret);
    await expect(enrol(setup.token, code, await somebody())).rejects.toMatchObject({ code: 'totp.setup_expired' });
    const codes = await enrol(setup.token, code);
    expect(new Set(codes).size).toBe(10);
    await expect(enrol(setup.token, code)).rejects.toMatchObject({ code: 'totp.enrolled' });
    later(16);
    await expect(enrol(setup.token, codeOf(setup.secret))).rejects.toMatchObject({ code: 'totp.setup_expired' });
    expect(room.letters.at(-1)).toMatchObject({ letter: 'security-notice', params: { what: 'totp-added' } });
  });

  it('cannot be undone by an administrator who must have it', async () => {
    const { createFactors } = await import('./factors.ts');
    const { rememberedDevices, db, users } = room;
    const nobodyIn = { groups: [], groupsOf: async () => [] };
    const factors = createFactors({ db, users, rememberedDevices, administrators: 'required', ...nobodyIn });
    const may = (administrator: boolean) => factors.mayGoWithout({ id: 'x', administrator });
    expect(await Promise.all([true, false].map(may))).toEqual([false, true]);
  });

  it('is undone by an operator when app and codes are lost, and everything signed in ends', async () => {
    const { user } = await enrolled({ administrator: true });
    const by = { actor: { kind: 'system' as const }, reason: 'lost on a train' };
    expect(await room.secondFactors.reset(user, by)).toBe(true);
    expect(await room.factors.of(user.id)).toMatchObject({ totp: false, recoveryCodes: 0 });
    expect(room.ended.at(-1)).toMatchObject({ accountId: user.id, reason: 'credential.reset' });
    expect(room.letters.at(-1)).toMatchObject({ params: { what: 'totp-removed' } });
    expect(await room.secondFactors.reset(user, by)).toBe(false);
  });

  it('outlives the secret it was sealed under', async () => {
    const { user, secret } = await enrolled();
    const vault = createVault(['the secret that came after', 'a secret of the tests']);
    const rotated = createTotp({ ...room, vault, issuer: 'Evergreen Books' });
    expect(await rotated.reseal()).toBeGreaterThan(0);
    expect(await rotated.reseal()).toBe(0);
    const after = createTotp({ ...room, vault: createVault('the secret that came after'), issuer: 'Evergreen Books' });
    expect(await after.check(user.id, codeOf(secret, 30))).toBe(true);
    await room.db.query('delete from totp');
  });
});

describe('a recovery code', () => {
  it('of 64 at once lets one in, however it is typed', async () => {
    const { user, codes } = await enrolled();
    const prove = (code: string) => room.secondFactors.prove(user, 'recovery', { ...from, code, device: undefined });
    const typed = ` ${codes[0]!.toUpperCase().replace('-', ' ')} `;
    const { createRecoveryCodes } = await import('./recovery-codes.ts');
    const own = createRecoveryCodes(room);
    const uses = await Promise.all(Array.from({ length: 64 }, () => own.use(user.id, typed)));
    expect(uses.filter((left) => left !== undefined)).toEqual([9]);
    await expect(prove(codes[0]!)).rejects.toMatchObject({ code: 'recovery.code_refused' });
    await prove(codes[1]!);
    expect(await room.factors.of(user.id)).toMatchObject({ recoveryCodes: 8 });
    expect(room.letters.at(-1)).toMatchObject({ params: { what: 'recovery-code-used' } });
    const [event] = await room.events.history({ subject: user.id, type: 'credential.recovery_code_used' });
    expect(event?.data).toEqual({ left: 8 });
  });

  it('ends with the next ten, and with the app', async () => {
    const { user, codes } = await enrolled();
    const fresh = await room.secondFactors.reissueRecoveryCodes(user, from);
    const prove = (code: string) => room.secondFactors.prove(user, 'recovery', { ...from, code });
    await expect(prove(codes[0]!)).rejects.toMatchObject({ code: 'recovery.code_refused' });
    await room.secondFactors.remove(user, 'totp', from);
    await expect(prove(fresh[0]!)).rejects.toMatchObject({ code: 'recovery.code_refused' });
    expect(await room.factors.of(user.id)).toMatchObject({ totp: false, recoveryCodes: 0 });
  });

  it('stands nowhere in the clear', async () => {
    const { user, codes } = await enrolled();
    const rows = await room.db.query('select * from recovery_code where user_id = $1', [user.id]);
    for (const code of codes) expect(JSON.stringify(rows)).not.toContain(code.slice(0, 5));
  });
});

describe('which factors are asked of whom', () => {
  const usual = { proved: ['pwd'], requested: [], demanded: false, device: undefined };

  it('follows what the person has, what is asked for, and who they are', async () => {
    const plain = await somebody();
    const { user } = await enrolled();
    const missing = (who: typeof plain, more: object = {}) => room.factors.missing({ user: who, ...usual, ...more });
    expect(await missing(plain)).toBeUndefined();
    expect(await missing(plain, { demanded: true })).toBe('totp-setup');
    expect(await missing(plain, { requested: ['urn:cardea:acr:mfa'] })).toBe('totp-setup');
    expect(await missing(plain, { requested: ['urn:cardea:acr:mfa', 'urn:cardea:acr:password'] })).toBeUndefined();
    expect(await missing(user)).toBe('totp');
    expect(await missing(user, { proved: ['pwd', 'otp'], demanded: true })).toBeUndefined();
    expect(await missing(user, { proved: ['hwk', 'user'], demanded: true })).toBeUndefined();
  });

  it('is spared a remembered device, but not where the application asks', async () => {
    const { user } = await enrolled();
    const browser = { userAgent: 'a browser', ip: from.ip };
    const device = await room.rememberedDevices.remember(user.id, browser);
    const missing = (more: object = {}) => room.factors.missing({ user, ...usual, device, ...more });
    expect(await missing()).toBeUndefined();
    expect(await missing({ demanded: true })).toBe('totp');
    // One more person at the same browser, and neither is taken for the other.
    const other = await enrolled();
    expect(await room.rememberedDevices.isRemembered(other.user.id, device)).toBe(false);
    const shared = await room.rememberedDevices.remember(other.user.id, { ...browser, cookie: device });
    expect(await room.rememberedDevices.isRemembered(user.id, shared)).toBe(true);
    const [row] = await room.db.query<{ hash: string }>('select hash from remembered_device where user_id = $1', [
      user.id,
    ]);
    expect(device).not.toContain(row!.hash);
    // A new password ends it; without having signed in, the old one is not enough to set it.
    await room.passwords.set(user.id, 'an old and quiet harbour 19');
    const change = (session?: string) =>
      room.passwordChanges.change({
        userId: user.id,
        current: 'an old and quiet harbour 19',
        password: 'a new and loud harbour 20',
        session,
        ...from,
      });
    await expect(change()).rejects.toMatchObject({ code: 'password.second_factor' });
    await change('a session');
    expect(await missing()).toBe('totp');
  });
});

describe('"this was not me"', () => {
  it('ends everything, voids the password and starts recovery, once', async () => {
    const { user } = await enrolled();
    await room.passwords.set(user.id, 'an old and quiet harbour 19');
    const link = room.letters.at(-1)!.token;
    expect(await room.notices.peek(link)).toMatchObject({ what: 'totp-added' });
    await room.notices.lock({ link, ip: from.ip, locale: 'en' });
    expect((await room.users.byId(user.id))!.state).toBe('PasswordResetRequired');
    expect(await room.passwords.has(user.id)).toBe(false);
    expect(room.ended.at(-1)).toMatchObject({ accountId: user.id });
    expect(room.letters.at(-1)).toMatchObject({ letter: 'reset-password', to: user.email });
    // What protects the account against who reads its mail is still asked for.
    expect((await room.factors.of(user.id)).totp).toBe(true);
    await expect(room.notices.lock({ link, ip: from.ip, locale: 'en' })).rejects.toMatchObject({
      code: 'notice.link_refused',
    });
    await expect(room.notices.peek('made-up')).rejects.toMatchObject({ code: 'notice.link_refused' });
  });
});
