/**
 * The life of an account.
 *
 * ```
 *            register              verify
 *  Created ───────────▶ Unverified ───────▶ Active ◀──────────────┐
 *     │ activate                              │ requirePasswordReset │ completePasswordReset
 *     └──────────────────────────────────────▶│──────────▶ PasswordResetRequired
 *
 *  any of these ── suspend ──▶ Suspended ── reactivate ──▶ the state before
 *  any of these, Suspended ── deactivate ──▶ Deactivated ── reactivate ──▶ the state before
 *  any but Deleted ── remove ──▶ Deleted ── recover ──▶ the state before
 * ```
 */
export const userStates = [
  'Created',
  'Unverified',
  'PasswordResetRequired',
  'Active',
  'Suspended',
  'Deactivated',
  'Deleted',
] as const;

export type UserState = (typeof userStates)[number];

/** Who changes a state, when and why. Goes into the audit journal with the change. */
export interface Change {
  at: Date;
  actor: { kind: 'user' | 'administrator' | 'client' | 'system' | 'anonymous'; id?: string };
  reason?: string | undefined;
  ip?: string | undefined;
}

interface Rule {
  from: readonly UserState[];
  /** `before` is the state the account was in before it was stopped. */
  to: UserState | 'before';
  /** What the audit journal and the world are told. */
  event: `user.${string}`;
}

const living = ['Created', 'Unverified', 'PasswordResetRequired', 'Active'] as const;

/** The permitted transitions; there are no others. */
export const transitions = {
  register: { from: ['Created'], to: 'Unverified', event: 'user.registered' },
  verify: { from: ['Created', 'Unverified'], to: 'Active', event: 'user.verified' },
  activate: { from: ['Created', 'Unverified'], to: 'Active', event: 'user.activated' },
  // Not from Unverified: whoever registered somebody else's address would choose a new password and be active by it.
  requirePasswordReset: {
    from: ['Created', 'Active'],
    to: 'PasswordResetRequired',
    event: 'user.password_reset_required',
  },
  completePasswordReset: { from: ['PasswordResetRequired'], to: 'Active', event: 'user.password_reset_completed' },
  suspend: { from: living, to: 'Suspended', event: 'user.suspended' },
  deactivate: { from: [...living, 'Suspended'], to: 'Deactivated', event: 'user.deactivated' },
  reactivate: { from: ['Suspended', 'Deactivated'], to: 'before', event: 'user.reactivated' },
  remove: { from: [...living, 'Suspended', 'Deactivated'], to: 'Deleted', event: 'user.deleted' },
  recover: { from: ['Deleted'], to: 'before', event: 'user.recovered' },
} as const satisfies Record<string, Rule>;

export type Transition = keyof typeof transitions;

const stopped: readonly UserState[] = ['Suspended', 'Deactivated', 'Deleted'];

/** Whether an account in this state is stopped by someone, as opposed to not having got going yet. */
export const isStopped = (state: UserState): boolean => stopped.includes(state);

/** Only an active account holds sessions, grants and tokens; leaving this state ends them all. */
export const mayHold = (state: UserState): boolean => state === 'Active';
