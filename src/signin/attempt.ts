import type { Arrival } from '../federation/index.ts';
import type { Sessions } from '../sessions/index.ts';

/**
 * A sign-in under way: what was typed and what is proved so far. It belongs to one interaction of one browser, is kept
 * sealed and for as long as the interaction, and is no session: nobody is signed in by it.
 */
export interface Attempt {
  /** The address as typed. */
  identifier?: string | undefined;
  /** Whose account it is; set only together with something proved of it. */
  userId?: string | undefined;
  /** What is proved, as RFC 8176 names it. */
  proved: string[];
  /** When the password that was proved had been set: once there is another, nothing is proved any more. */
  passwordSince?: string | undefined;
  /** The first factor was proved by the mailbox (a new password by letter): a code sent there proves nothing more. */
  mailbox?: boolean | undefined;
  /** Step-up: the session whose proofs this one adds to, and when they were made (epoch seconds). */
  upon?: { session: string; authTime: number } | undefined;
  /** What the circumstances ask for, as they were when the first factor was proved. */
  risk?: 'step_up' | 'refuse' | undefined;
  /** The second factor need not be asked for in this browser for a while. */
  rememberDevice?: boolean;
  /** Recovery codes just made, until the person has seen them. */
  codes?: string[];
  /** What is offered once everything is proved, before the sign-in ends. */
  offer?: 'passkey' | undefined;
  remember: boolean;
  /** Something was typed: what we could guess of the person no longer counts. */
  restarted?: boolean;
  /** What the person chose at the account question. */
  account?: 'continue' | 'other' | undefined;
  /** A letter with a code is on its way: for what, and by which handle of this browser its code is redeemed; `passkey`: one is made next. */
  letter?:
    | { purpose: 'verify' | 'reset'; handle: string; address: string; registered?: boolean; passkey?: boolean }
    | undefined;
  /** Where to be sent next: by `idp_hint`, or by the domain of the address. */
  provider?: string | undefined;
  /** The person is here, not sent anywhere by the domain of their address. */
  direct?: boolean;
  /** Came by a provider: which identity, and what the session that follows stands on. */
  came?: {
    provider: string;
    identityId?: string | undefined;
    arrival: Arrival;
    authTime?: string;
  };
  /** Somebody new from a provider, of whom something is still to be asked before there is an account. */
  joining?: { provider: { id: string; name: string }; arrival: Arrival; verdict: 'create' | 'letter' } | undefined;
  /** An identity at a provider that waits for its person to prove an account, and what they say to linking the two. */
  linking?: { provider: { id: string; name: string }; arrival: Arrival; answer?: 'yes' | 'no' } | undefined;
  /** Said once on the next page. */
  problem?: { code: string; params?: Record<string, unknown> } | undefined;
  /** The code for a reset was right: what the new password is set with. */
  reset?: { ticket: string } | undefined;
}

const kind = 'signin-attempt';

export const freshAttempt = (): Attempt => ({ proved: [], remember: false });

/** @param options.seconds how long an interaction lives */
export function createAttemptStore({ fleeting, seconds }: { fleeting: Sessions['fleeting']; seconds: number }) {
  return {
    load: async (uid: string): Promise<Attempt> => (await fleeting.get<Attempt>(kind, uid)) ?? freshAttempt(),
    save: (uid: string, attempt: Attempt) => fleeting.put(kind, uid, attempt, seconds),
    end: (uid: string) => fleeting.remove(kind, uid),
  };
}

export type AttemptStore = ReturnType<typeof createAttemptStore>;
