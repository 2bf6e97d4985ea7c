import { describe, expect, it } from 'vitest';
import { mayEnter, next, type Situation } from './flow.ts';

const active = { state: 'Active', mayHold: () => true } as Situation['user'];
const inState = (state: string) => ({ state, mayHold: () => false }) as Situation['user'];
const attempt = (parts: Partial<Situation['attempt']> = {}) => ({ proved: [], remember: false, ...parts });
const at = (parts: Partial<Situation>): Situation => ({
  prompt: 'login',
  signedIn: false,
  attempt: attempt(),
  ...parts,
});

describe('what comes next', () => {
  it('asks who, then for the proof, then nothing', () => {
    expect(next(at({}))).toBe('identifier');
    expect(next(at({ attempt: attempt({ identifier: 'ada@example.com' }) }))).toBe('password');
    expect(next(at({ attempt: attempt({ proved: ['pwd'], userId: 'u' }), user: active }))).toBe('done');
  });

  it.each([
    ['Created', 'verify'],
    ['Unverified', 'verify'],
    ['PasswordResetRequired', 'new-password'],
    ['Suspended', 'refused'],
    ['Deactivated', 'refused'],
    ['Deleted', 'refused'],
  ])('never lets an account in state %s through: %s', (state, step) => {
    expect(next(at({ attempt: attempt({ proved: ['pwd'], userId: 'u' }), user: inState(state) }))).toBe(step);
  });

  it('begins with the form to register when the application asks for it', () => {
    expect(next(at({ prompt: 'create' }))).toBe('register');
  });

  it('keeps to another account once the person has chosen that', () => {
    const other = (parts = {}) =>
      at({ prompt: 'select_account', signedIn: true, attempt: attempt({ account: 'other', ...parts }) });
    expect(next(at({ prompt: 'select_account', signedIn: true }))).toBe('accounts');
    expect(next(other())).toBe('identifier');
    expect(next({ ...other({ proved: ['pwd'], userId: 'u' }), user: active })).toBe('done');
  });
});

describe('what may be entered', () => {
  it('is the step that is due, and the turnings while somebody proves who they are', () => {
    const password = at({ attempt: attempt({ identifier: 'ada@example.com' }) });
    expect(mayEnter('password', password)).toBe(true);
    expect(mayEnter('forgot', password)).toBe(true);
    expect(mayEnter('register', password)).toBe(true);
  });

  it('is never a step ahead', () => {
    for (const step of ['reset', 'new-password', 'verify', 'consent', 'done', 'reset-sent'] as const) {
      expect(mayEnter(step, at({}))).toBe(false);
    }
  });

  it('is, at the consent, only the choice of another account beside it', () => {
    const consent = at({ prompt: 'consent', signedIn: true });
    expect(mayEnter('consent', consent)).toBe(true);
    expect(mayEnter('accounts', consent)).toBe(true);
    expect(mayEnter('identifier', consent)).toBe(false);
  });
});
