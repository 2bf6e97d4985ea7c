import { describe, expect, it } from 'vitest';
import { credentialsRoom } from '../../../test/support/credentials.ts';
import {
  asker,
  becomeAnother,
  email,
  ip,
  letter,
  next,
  password,
  person,
  register,
  room,
  rows,
  stageJourneys,
  stateOf,
  told,
} from '../../../test/support/journeys.ts';
import { newId } from '../../platform/index.ts';

stageJourneys();

describe('to register', () => {
  it('makes an account that waits for its address, and the code from the letter opens it', async () => {
    const { handle } = await register({ profile: { givenName: 'Anna' }, termsVersion: '1' });
    const user = await room.users.byEmail(email);
    expect(user).toMatchObject({ state: 'Unverified', givenName: 'Anna', termsVersion: '1' });
    expect(await room.passwords.check(user!.id, password)).toBe(true);
    const { params, to, token } = letter('verify-address');
    expect(to).toBe(email);
    expect(token).toHaveLength(43);
    expect(await room.verification.confirmCode({ handle, code: params.code!, ...asker() })).toEqual({
      userId: user!.id,
    });
    expect(await stateOf(user!.id)).toBe('Active');
    expect((await room.users.byEmail(email))?.isEmailVerified()).toBe(true);
    letter('welcome');
    expect(await told(user!.id)).toEqual(
      expect.arrayContaining([
        'user.created',
        'user.registered',
        'credential.added',
        'user.verified',
        'user.email_verified',
      ]),
    );
  });

  it('the link opens it too, tells whether it is the same browser, and a look changes nothing', async () => {
    const { handle } = await register();
    const { token } = letter('verify-address');
    const { id } = (await room.users.byEmail(email))!;
    expect(await room.verification.peek({ link: token })).toMatchObject({ email });
    expect(await stateOf(id)).toBe('Unverified');
    expect(await room.verification.confirmLink({ link: token, handle, ...asker() })).toEqual({
      userId: id,
      sameBrowser: true,
    });
    await expect(room.verification.confirmLink({ link: token, ...asker() })).rejects.toMatchObject({
      code: 'proof.link_refused',
    });

    becomeAnother();
    const waiting = await register();
    const { token: second } = letter('verify-address');
    expect(await room.verification.settled(waiting.handle)).toBeUndefined();
    const current = { link: second, current: password, ...asker() };
    expect(await room.verification.confirmLink(current)).toMatchObject({ sameBrowser: false });
    expect(await room.verification.settled(waiting.handle)).toBe((await room.users.byEmail(email))?.id);
  });

  it('an address that has an account gets another letter and the page the same answer', async () => {
    const { id } = await person();
    const answer = await register({ password: next });
    expect(answer).toEqual({ handle: expect.stringMatching(/^[\w-]{43}$/) });
    expect(room.letters.map((one) => one.letter)).toEqual(['account-exists']);
    expect(letter('account-exists').to).toBe(email);
    expect(await room.passwords.check(id, password)).toBe(true);
    expect(await room.passwords.check(id, next)).toBe(false);
    const code = { code: '000000', handle: answer.handle, ...asker() };
    await expect(room.verification.confirmCode(code)).rejects.toMatchObject({ code: 'proof.code_refused' });
  });

  it('somebody who registered another’s address first does not get in when its owner registers', async () => {
    const thief = await register({ password: 'the password of a thief' });
    const { token: early } = letter('verify-address');
    const { id } = (await room.users.byEmail(email))!;
    await register({ password: next });
    // The owner is led to a new password, which takes the place of the thief's.
    letter('account-exists');
    const { handle } = await room.resets.request({ ...asker(), email });
    const { ticket } = await room.resets.enterCode({ handle, code: letter('reset-password').params.code!, ip });
    await room.resets.complete({ by: { ticket }, password: next, ...asker() });
    expect(await stateOf(id)).toBe('Active');
    expect(await room.passwords.check(id, 'the password of a thief')).toBe(false);
    expect(await room.passwords.check(id, next)).toBe(true);
    // Nor does the thief's waiting browser get in, should the owner open the first letter after all.
    const opened = room.verification.confirmLink({ link: early, ...asker() });
    await expect(opened).rejects.toMatchObject({ code: 'proof.link_refused' });
    expect(await room.verification.settled(thief.handle)).toBeUndefined();
  });

  it.each([
    ['a password', { password: 'the password of a thief' }, 'password'],
    ['a passkey to come', { password: undefined }, 'new-password'],
  ] as const)('by somebody else with %s leaves them nothing, though its owner opens the link', async (_, how, asks) => {
    const thief = await register(how);
    const { token: link } = letter('verify-address');
    const { id } = (await room.users.byEmail(email))!;
    const elsewhere = { link, handle: (await register({ email: `other-${email}` })).handle };
    expect(await room.verification.peek(elsewhere)).toMatchObject({ email, asks });
    // A press is not enough, nor is a guess at what the thief chose, nor a password that is none.
    for (const [more, code] of [
      [{}, 'password.missing'],
      [{ current: password }, asks === 'password' ? 'password.registered_wrong' : 'password.missing'],
      [{ password: 'qwertyuiop' }, 'password.common'],
    ] as const)
      await expect(room.verification.confirmLink({ ...elsewhere, ...more, ...asker() })).rejects.toMatchObject({
        code,
      });
    expect([await stateOf(id), await room.verification.settled(thief.handle)]).toEqual(['Unverified', undefined]);

    await room.verification.confirmLink({ ...elsewhere, password: next, ...asker() });
    expect(await stateOf(id)).toBe('Active');
    expect(await room.passwords.check(id, 'the password of a thief')).toBe(false);
    expect(await room.passwords.check(id, next)).toBe(true);
    expect(await room.verification.settled(thief.handle)).toBeUndefined();
    const code = { code: room.letters.find(({ token }) => token === link)!.params.code!, handle: thief.handle };
    await expect(room.verification.confirmCode({ ...code, ...asker() })).rejects.toMatchObject({
      code: 'proof.code_refused',
    });
  });

  it('guesses at what was chosen there are counted as at the sign-in', async () => {
    await register();
    const { token: link } = letter('verify-address');
    const guess = () => room.verification.confirmLink({ link, current: 'a guess at it', ...asker() });
    for (let tries = 0; tries < 5; tries++)
      await expect(guess()).rejects.toMatchObject({ code: 'password.registered_wrong' });
    await expect(guess()).rejects.toMatchObject({ code: 'limit.exceeded' });
  });

  it('a letter that was sent again by its dead link is the same browser’s as before, and nobody else’s', async () => {
    const { handle } = await register();
    for (const [by, asks] of [
      [handle, 'nothing'],
      [newId(), 'password'],
    ] as const) {
      await room.verification.sendTo({ ...asker(), email, handle: by });
      const { token: link } = letter('verify-address');
      // The second letter is another browser's: the first one's handle leads nowhere any more.
      expect(await room.verification.peek({ link, handle })).toMatchObject({ asks });
    }
  });

  it('the same address 16 times at once makes one account, and everybody the same answer', async () => {
    const all = await Promise.all(
      Array.from({ length: 16 }, (_, i) =>
        room.registration.register({
          ip: `203.0.113.${i}`,
          locale: 'en',
          email: i % 2 ? email : email.toUpperCase(),
          password,
        }),
      ).map((one) => one.catch((error: { code: string }) => error.code)),
    );
    expect(all.filter((one) => typeof one === 'object')).toHaveLength(5);
    expect(all.filter((one) => one === 'mail.too_many')).toHaveLength(11);
    expect(room.letters.filter((one) => one.letter === 'verify-address')).toHaveLength(1);
    expect(room.letters.filter((one) => one.letter === 'account-exists')).toHaveLength(4);
  });

  it('the form that made an account, sent again once its address is proved, is a stranger’s like any other', async () => {
    const { handle } = await register({ resume: 'a sign-in' });
    expect(await register({ resume: 'a sign-in', password: next })).toEqual({ handle });
    await room.verification.confirmCode({ handle, code: letter('verify-address').params.code!, ...asker() });
    const late = await register({ resume: 'a sign-in' });
    letter('account-exists');
    expect(await room.verification.settled(late.handle)).toBeUndefined();
    expect(await room.passwords.check((await room.users.byEmail(email))!.id, next)).toBe(true);
  });

  it('what is refused leaves nothing behind', async () => {
    const before = [await rows('user_account'), await rows('password'), await rows('one_time_proof')];
    await expect(register({ password: 'password' })).rejects.toMatchObject({ code: 'password.common' });
    await expect(register({ password: email })).rejects.toMatchObject({ code: 'password.personal' });
    await expect(register({ email: 'nobody' })).rejects.toMatchObject({ code: 'user.email_malformed' });
    await expect(register({ email: 'a@b.c\r\nBcc: all@example.com' })).rejects.toMatchObject({
      code: 'user.email_malformed',
    });
    expect([await rows('user_account'), await rows('password'), await rows('one_time_proof')]).toEqual(before);
    expect(room.letters).toEqual([]);
  });

  it('a letter that cannot be written takes the account back with it', async () => {
    const { send } = room.mail;
    room.mail.send = async () => {
      throw new Error('no ink');
    };
    await expect(register()).rejects.toThrow('no ink');
    room.mail.send = send;
    expect(await room.users.byEmail(email)).toBeUndefined();
  });

  it('is closed when the operator says so', async () => {
    const closed = await credentialsRoom({ settings: { registration: { mode: 'invited' } as never } });
    await expect(closed.registration.register({ ...asker(), email, password })).rejects.toMatchObject({
      code: 'registration.closed',
      kind: 'forbidden',
    });
    await closed.stop();
  });

  it('one address makes only so many accounts', async () => {
    const codes: string[] = [];
    for (let i = 0; i < 22; i++) {
      const refused = await register({ email: `many${i}-${email}` }).catch((error: { code: string }) => error);
      if ('code' in refused) codes.push(refused.code);
    }
    expect(codes).toEqual(['limit.exceeded', 'limit.exceeded']);
  });
});

describe('the letter again', () => {
  it('goes to who registered, with a new code for the same browser', async () => {
    const { handle } = await register();
    const first = letter('verify-address').token;
    expect(await room.registration.again({ ...asker(), email, handle })).toEqual({ handle });
    const { params, token } = letter('verify-address');
    expect(token).not.toBe(first);
    await expect(room.verification.peek({ link: first })).rejects.toMatchObject({ code: 'proof.link_refused' });
    await room.verification.confirmCode({ handle, code: params.code!, ...asker() });
  });

  it('to somebody else’s address is the letter to its owner', async () => {
    await person();
    const { handle } = await register();
    expect(await room.registration.again({ ...asker(), email, handle })).toEqual({ handle });
    expect(room.letters.map((one) => one.letter)).toEqual(['account-exists', 'account-exists']);
  });

  it('nobody is sent more than a few an hour, whoever asks from wherever', async () => {
    await person();
    const outcomes = { reset: [] as string[], nobody: [] as string[] };
    for (const [who, to] of [
      ['reset', email],
      ['nobody', `nobody-${email}`],
    ] as const) {
      for (let i = 0; i < 7; i++) {
        const asked = room.resets.request({ ip: `203.0.113.${i}`, locale: 'en', email: to });
        outcomes[who].push(
          await asked.then(
            () => 'sent',
            (error: { code: string }) => error.code,
          ),
        );
      }
    }
    expect(outcomes.reset).toEqual([...Array(5).fill('sent'), 'mail.too_many', 'mail.too_many']);
    expect(outcomes.nobody).toEqual(outcomes.reset);
    expect(room.letters).toHaveLength(5);
  });
});
