import { describe, expect, it } from 'vitest';
import type { UserState } from '../users/index.ts';
import { type Attempt, freshAttempt } from './attempt.ts';
import { mayEnter, next, type Situation } from './flow.ts';

const person = (state: UserState) => ({ state, mayHold: () => state === 'Active' });
const situation = (attempt: Partial<Attempt> = {}, more: Partial<Situation> = {}): Situation => ({
  prompt: 'login',
  signedIn: false,
  attempt: { ...freshAttempt(), identifier: 'ada@example.com', userId: 'ada', proved: ['pwd'], ...attempt },
  user: person('Active'),
  ...more,
});

describe('after the first factor', () => {
  it('the second is asked for, and nothing else may be entered', () => {
    const due = situation({ codes: ['x'], offer: 'passkey' }, { missing: 'totp' });
    expect(next(due)).toBe('totp');
    const open = [
      'totp-setup',
      'recovery-codes',
      'passkey-offer',
      'new-password',
      'verify',
      'consent',
      'done',
    ] as const;
    expect(open.filter((step) => mayEnter(step, due))).toEqual([]);
    expect(['recovery', 'identifier', 'passkey'].filter((step) => mayEnter(step as 'recovery', due))).toHaveLength(3);
  });

  it('recovery codes stand in for an app alone', () => {
    expect(mayEnter('recovery', situation({}, { missing: 'passkey' }))).toBe(false);
    expect(mayEnter('recovery', situation({}, { missing: 'totp-setup' }))).toBe(false);
    expect(mayEnter('recovery', situation())).toBe(false);
  });

  it('who stole a password does not get to choose the next', () => {
    const user = person('PasswordResetRequired');
    expect(next(situation({}, { user, missing: 'totp' }))).toBe('totp');
    expect(next(situation({ proved: ['pwd', 'otp'] }, { user }))).toBe('new-password');
    expect(next(situation({ proved: ['hwk', 'user'] }, { user }))).toBe('forgot');
    // A factor that is made on the way comes after it.
    expect(next(situation({}, { user, missing: 'totp-setup' }))).toBe('new-password');
  });

  it('what was made on the way is shown before the offer', () => {
    const made = { codes: ['k7mzp-4dhq2'], offer: 'passkey' } as const;
    expect(next(situation({}, { missing: 'totp-setup' }))).toBe('totp-setup');
    expect(next(situation({ ...made, codes: [...made.codes] }))).toBe('recovery-codes');
    expect(next(situation({ offer: 'passkey' }))).toBe('passkey-offer');
    expect(next(situation())).toBe('done');
  });

  it('a stopped or unproved account goes no further, whatever is missing', () => {
    expect(next(situation({}, { user: person('Suspended') }))).toBe('refused');
    expect(next(situation({}, { user: person('Unverified'), missing: 'totp-setup' }))).toBe('verify');
  });
});
