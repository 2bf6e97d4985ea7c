import { describe, expect, it } from 'vitest';
import {
  asker,
  email,
  letter,
  next,
  password,
  person,
  room,
  stageJourneys,
  stateOf,
} from '../../../test/support/journeys.ts';

stageJourneys();

describe('a change of password', () => {
  const change = (userId: string, over: object = {}) =>
    room.passwordChanges.change({ ...asker(), userId, current: password, password: next, ...over });

  it('ends the other sessions and is told to the owner', async () => {
    const { id } = await person();
    await change(id, { session: 'this one' });
    expect(room.ended).toEqual([{ accountId: id, reason: 'password.changed', except: 'this one' }]);
    expect(await room.passwords.check(id, next)).toBe(true);
    letter('password-changed');
  });

  it('needs the current one, guesses at which are limited', async () => {
    const { id } = await person();
    for (let i = 0; i < 5; i++) {
      await expect(change(id, { current: 'wrong' })).rejects.toMatchObject({ code: 'password.current_wrong' });
    }
    await expect(change(id)).rejects.toMatchObject({ code: 'limit.exceeded', kind: 'limited', retryAfter: 60 });
    // Where they have signed in before they are not locked out.
    await change(id, { device: room.attempts.deviceToken(id) });
  });

  it('takes neither the same nor a bad one', async () => {
    const { id } = await person();
    await expect(change(id, { password })).rejects.toMatchObject({ code: 'password.same' });
    await expect(change(id, { password: 'password' })).rejects.toMatchObject({ code: 'password.common' });
    expect(await room.passwords.check(id, password)).toBe(true);
  });

  it('that was required lets the account go on, once', async () => {
    const { id } = await person('PasswordResetRequired');
    await expect(room.passwordChanges.force({ ...asker(), userId: id, password })).rejects.toMatchObject({
      code: 'password.same',
    });
    await room.passwordChanges.force({ ...asker(), userId: id, password: next });
    expect(await stateOf(id)).toBe('Active');
    await expect(
      room.passwordChanges.force({ ...asker(), userId: id, password: 'yet another one' }),
    ).rejects.toMatchObject({
      code: 'user.transition_not_permitted',
    });
    expect(await room.passwords.check(id, next)).toBe(true);
  });

  it('revokes the letters that could undo it', async () => {
    const { id } = await person();
    await room.resets.request({ ...asker(), email });
    const { token } = letter('reset-password');
    await change(id);
    await expect(room.resets.peek({ link: token })).rejects.toMatchObject({ code: 'proof.link_refused' });
  });
});
