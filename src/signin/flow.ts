import type { MissingFactor, SecondFactorKind } from '../credentials/index.ts';
import { allows, type OrganisationPolicy, type User } from '../users/index.ts';
import type { Attempt } from './attempt.ts';

/**
 * The only one who decides what comes next. Steps prove things and put them into the attempt; pages show; this reads
 * the attempt and routes.
 *
 * ```
 *  login ──▶ identifier ──▶ password ──┬─▶ verify ─────────────────────────────┐
 *              │   ▲  ├───▶ passkey ───┤                                       │
 *              │   ▲  └─▶ provider ⇢ ──┤  (away and back; who is new may have to join, who is not, to prove it and link)
 *  create ──▶ register ──▶ verify ─────┼─▶ totp ⇄ sms ⇄ email-code ⇄ passkey   │
 *              │                       │    └▶ recovery ──▶ new-password ──────▶├──▶ (passkey-offer) ──▶ done
 *              │                       └─▶ totp-setup ──▶ recovery-codes ─────▶│
 *             forgot ──▶ reset-sent ──▶ reset ──▶ as after the password ───────┘        done ──▶ the engine resumes
 *
 *  risk: step_up asks for a second factor whatever the person has; refuse ends it where it looks like a wrong proof
 *  step-up: what the session proved stands, and the flow begins at the missing factor
 *
 *  select_account ──▶ accounts ──┬─▶ done (the same person)
 *                                └─▶ identifier … (another)
 *  details: fields that registration asks of everybody and this account has not, once everything is proved
 *
 *  organization ──▶ organization ──▶ done
 *  consent ──▶ consent ──▶ done          ("Not you?" ──▶ accounts)
 *
 *  ways: where an organisation allows other ways than the one at hand; its page leads to them
 * ```
 */
export type Step =
  | 'accounts'
  | 'identifier'
  | 'password'
  | 'passkey'
  | 'passkey-offer'
  | 'totp'
  | 'recovery'
  | 'sms'
  | 'email-code'
  | 'totp-setup'
  | 'recovery-codes'
  | 'provider'
  | 'join'
  | 'link'
  | 'register'
  | 'verify'
  | 'forgot'
  | 'reset-sent'
  | 'reset'
  | 'new-password'
  | 'details'
  | 'ways'
  | 'organization'
  | 'consent'
  | 'refused'
  | 'done';

export interface Situation {
  /** Why the engine asks. */
  prompt: string;
  /** Whether somebody is signed in already in this browser. */
  signedIn: boolean;
  attempt: Attempt;
  /** The attempt's account, once something is proved of it. */
  user?: Pick<User, 'state' | 'mayHold'> | undefined;
  /** What this sign-in must still prove beside what it has, as `credentials` judges it. */
  missing?: MissingFactor | undefined;
  /** What would do in place of {@link missing}. */
  choices?: readonly SecondFactorKind[] | undefined;
  /** How the organisation of the request, or of the address, wants its people to sign in. */
  policy?: Pick<OrganisationPolicy, 'methods' | 'providers'> | undefined;
  /** Something that is asked of everybody is not known of this person. */
  lacking?: boolean | undefined;
}

export function next(situation: Situation): Step {
  const { prompt, signedIn, attempt, user, policy } = situation;
  if (prompt === 'consent' && attempt.account !== 'other') return 'consent';
  if (prompt === 'organization' && attempt.account !== 'other') return 'organization';
  if (prompt === 'select_account' && signedIn && attempt.account !== 'other') {
    return attempt.account === 'continue' ? 'done' : 'accounts';
  }
  if (attempt.proved.length > 0 && user) return whatTheAccountNeeds(user, situation);
  if (attempt.reset) return 'reset';
  if (attempt.letter) return attempt.letter.purpose === 'reset' ? 'reset-sent' : 'verify';
  if (attempt.joining) return 'join';
  if (attempt.provider) return 'provider';
  if (attempt.identifier) return allowsWay(policy, 'pwd') ? 'password' : 'ways';
  return prompt === 'create' ? 'register' : 'identifier';
}

function whatTheAccountNeeds(
  user: Pick<User, 'state' | 'mayHold'>,
  { attempt, missing, policy, lacking }: Situation,
): Step {
  if (user.state === 'Created' || user.state === 'Unverified') return 'verify';
  if (attempt.risk === 'refuse') return 'refused';
  // Whatever was proved in a way that is not allowed proves nothing.
  if (!allowsWay(policy, ...attempt.proved) || cameElsewhere(policy, attempt)) return 'ways';
  // Before the new password: who has only stolen the old one must not get to choose it.
  if (missing && missing !== 'totp-setup') return missing;
  if (user.state === 'PasswordResetRequired') {
    // Whoever could not say the old one proves their address by a letter.
    return attempt.proved.includes('pwd') ? 'new-password' : 'forgot';
  }
  if (!user.mayHold()) return 'refused';
  if (missing) return missing;
  if (attempt.codes?.length) return 'recovery-codes';
  if (attempt.linking && !attempt.linking.answer) return 'link';
  if (lacking) return 'details';
  return attempt.offer === 'passkey' ? 'passkey-offer' : 'done';
}

/** An organisation that lets people in only by a provider, and says by which, means no other. */
function cameElsewhere(policy: Situation['policy'], { came, proved }: Attempt): boolean {
  if (!came || !policy?.methods || policy.providers.length === 0 || policy.providers.includes(came.provider))
    return false;
  return !allowsWay(policy, ...proved.filter((method) => method !== 'fed'));
}

const allowsWay = (policy: Situation['policy'], ...proved: string[]): boolean => !policy || allows(policy, proved);

const provingWho: readonly Step[] = [
  'identifier',
  'password',
  'passkey',
  'provider',
  'join',
  'totp',
  'recovery',
  'sms',
  'email-code',
  'register',
  'verify',
  'forgot',
  'reset-sent',
  'reset',
  'new-password',
  'ways',
];

/** Where a person may turn by themselves: to another address, a new account or another way in, while they prove who they are. */
const turnings: readonly Step[] = ['identifier', 'passkey', 'provider', 'register', 'forgot'];

/** Whether this step may be shown and answered now. */
export function mayEnter(step: Step, situation: Situation): boolean {
  const due = next(situation);
  if (step === due) return true;
  // "Not you?" where one is asked to agree.
  if (due === 'consent' || due === 'organization') return step === 'accounts' && situation.signedIn;
  // Recovery codes stand in for what gives codes, and any factor for any other.
  if (step === 'recovery') return due === 'totp' || due === 'sms' || due === 'email-code';
  if (situation.missing === due && situation.choices?.some((choice) => choice === step)) return true;
  return turnings.includes(step) && provingWho.includes(due);
}
