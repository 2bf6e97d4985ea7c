import { describe, expect, it } from 'vitest';
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
  stageJourneys,
  stateOf,
  told,
} from '../../../test/support/journeys.ts';

stageJourneys();

describe('a forgotten password', () => {
  const forget = async () => {
    const { handle } = await room.resets.request({ ...asker(), email });
    return { handle, ...letter('reset-password') };
  };

  it('is replaced with the code: sessions end, the owner is told, the old one is gone', async () => {
    const { id } = await person();
    const { handle, params } = await forget();
    const { ticket } = await room.resets.enterCode({ handle, code: params.code!, ip });
    expect(await room.resets.complete({ by: { ticket }, password: next, ...asker() })).toEqual({ userId: id, email });
    expect(await room.passwords.check(id, next)).toBe(true);
    expect(await room.passwords.check(id, password)).toBe(false);
    expect(room.ended).toEqual([{ accountId: id, reason: 'password.reset' }]);
    letter('password-changed');
    expect(await told(id)).toEqual(
      expect.arrayContaining(['credential.reset_requested', 'credential.changed', 'credential.reset_completed']),
    );
    await expect(
      room.resets.complete({ by: { ticket }, password: 'yet another one', ...asker() }),
    ).rejects.toMatchObject({
      code: 'proof.spent',
    });
  });

  it('cannot be guessed at by letter after letter: the account’s wrong codes are counted', async () => {
    await person();
    for (let wrong = 0; wrong < 30; wrong++) {
      if (wrong % 5 === 0) await room.limits.forget(room.budgets.lettersToRecipient, email.toLowerCase());
      const { handle } = await room.resets.request({ ...asker(), ip: `203.0.113.${wrong}`, email });
      const guess = { handle, code: '12345678', ip: `203.0.113.${wrong}` };
      await expect(room.resets.enterCode(guess)).rejects.toMatchObject({ code: 'proof.code_refused' });
    }
    await room.limits.forget(room.budgets.lettersToRecipient, email.toLowerCase());
    const { handle, params, token } = await forget();
    // Now not even the right one is looked at, and it is said in the same words; the link is still good.
    await expect(room.resets.enterCode({ handle, code: params.code!, ip })).rejects.toMatchObject({
      code: 'proof.code_refused',
    });
    await room.resets.complete({ by: { link: token }, password: next, ...asker() });
  });

  it('is replaced with the link, also by one who has to choose a new one', async () => {
    const { id } = await person('PasswordResetRequired');
    const { token } = await forget();
    expect(await room.resets.peek({ link: token })).toMatchObject({ userId: id, email });
    expect(await stateOf(id)).toBe('PasswordResetRequired');
    await room.resets.complete({ by: { link: token }, password: next, ...asker() });
    expect(await stateOf(id)).toBe('Active');
  });

  it('a password that is refused does not cost the link', async () => {
    await person();
    const { token } = await forget();
    const short = room.resets.complete({ by: { link: token }, password: 'short', ...asker() });
    await expect(short).rejects.toMatchObject({ code: 'password.too_short' });
    await room.resets.complete({ by: { link: token }, password: next, ...asker() });
  });

  it('64 at once: one wins', async () => {
    const { id } = await person();
    const { token } = await forget();
    const all = await Promise.allSettled(
      Array.from({ length: 64 }, (_, i) =>
        room.resets.complete({ by: { link: token }, password: `${next} ${i}`, ip: `203.0.113.${i}`, locale: 'en' }),
      ),
    );
    const won = all.flatMap((one, i) => (one.status === 'fulfilled' ? [i] : []));
    expect(won).toHaveLength(1);
    expect(await room.passwords.check(id, `${next} ${won[0]}`)).toBe(true);
    expect(room.letters.filter((one) => one.letter === 'password-changed')).toHaveLength(1);
  });

  it('a letter to an address that is no longer the person’s is worth nothing', async () => {
    const { id } = await person();
    const { token, handle, params } = await forget();
    const { ticket } = await room.resets.enterCode({ handle, code: params.code!, ip });
    await room.users.update(id, { actor: { kind: 'user', id } }, (user) =>
      user.changeEmail(`new-${email}`, { at: new Date() }),
    );
    for (const by of [{ link: token }, { ticket }]) {
      await expect(room.resets.complete({ by, password: next, ...asker() })).rejects.toMatchObject({
        code: 'proof.spent',
      });
    }
    expect(await room.passwords.check(id, password)).toBe(true);
  });

  it('a link to prove an address sets no password', async () => {
    await register();
    const { token } = letter('verify-address');
    await expect(room.resets.peek({ link: token })).rejects.toMatchObject({ code: 'proof.link_refused' });
    await expect(room.resets.complete({ by: { link: token }, password: next, ...asker() })).rejects.toMatchObject({
      code: 'proof.link_refused',
    });
    const { id } = (await room.users.byEmail(email))!;
    const proof = await room.proofs.peekLink(token, 'verify_email');
    expect(proof.userId).toBe(id);
    const by = { ticket: room.proofs.toTicket(proof) };
    await expect(room.resets.complete({ by, password: next, ...asker() })).rejects.toMatchObject({
      code: 'proof.spent',
    });
  });

  it('nobody is told that there is no account, or that it is stopped', async () => {
    const answers = [await room.resets.request({ ...asker(), email: `nobody-${email}` })];
    const { id } = await person('Suspended');
    answers.push(await room.resets.request({ ...asker(), email }));
    becomeAnother();
    await person();
    answers.push(await room.resets.request({ ...asker(), email }));
    for (const answer of answers) expect(answer).toEqual({ handle: expect.stringMatching(/^[\w-]{43}$/) });
    expect(room.letters).toHaveLength(1);
    for (const { handle } of answers) {
      await expect(room.resets.enterCode({ handle, code: 'abcdef', ip })).rejects.toMatchObject({
        code: 'proof.code_refused',
      });
    }
    expect(await room.passwords.check(id, password)).toBe(true);
  });

  it('is replaced whole or not at all', async () => {
    const { id } = await person('PasswordResetRequired');
    const { token } = await forget();
    const { send } = room.mail;
    room.mail.send = async () => {
      throw new Error('no ink');
    };
    await expect(room.resets.complete({ by: { link: token }, password: next, ...asker() })).rejects.toThrow('no ink');
    room.mail.send = send;
    expect(await room.passwords.check(id, password)).toBe(true);
    expect(await stateOf(id)).toBe('PasswordResetRequired');
    await room.resets.complete({ by: { link: token }, password: next, ...asker() });
  });
});

it('an invitation makes an account usable, once', async () => {
  const user = await room.users.create({ email, state: 'Created' }, { actor: { kind: 'system' } });
  await room.resets.invite({ userId: user.id, locale: 'de' });
  const { token, locale } = letter('choose-password');
  expect(locale).toBe('de');
  expect(await room.resets.peek({ link: token })).toMatchObject({ purpose: 'choose_password' });
  await room.resets.complete({ by: { link: token }, password: next, ...asker() });
  expect(await stateOf(user.id)).toBe('Active');
  expect((await room.users.byId(user.id))?.isEmailVerified()).toBe(true);
  await expect(room.resets.peek({ link: token })).rejects.toMatchObject({ code: 'proof.link_refused' });
});
