import type { Interaction as EngineInteraction } from 'oidc-provider';
import { acrOf, freshSeconds } from '../credentials/index.ts';
import { providerHint, stepsUp } from './asked.ts';
import { type Attempt, freshAttempt } from './attempt.ts';
import type { SigninPorts } from './ports.ts';

/** What the engine asks, as far as an attempt follows from it. */
type Question = Pick<EngineInteraction, 'params' | 'prompt' | 'session'>;

/**
 * The attempt as it stands at this request: what of the kept one is still true, with what the session and the application
 * bring along. Of one that was started over that is nothing: the person has turned elsewhere.
 * @param wanted ids of the providers that the application's people may come by; undefined for all
 */
export async function takeUp(
  ports: SigninPorts,
  kept: Attempt,
  question: Question,
  wanted: readonly string[] | undefined,
): Promise<Attempt> {
  const attempt = await stillProved(ports, kept);
  if (attempt.restarted) return attempt;
  if (!attempt.identifier) await buildUpon(ports, attempt, question);
  await followHint(ports, attempt, question, wanted);
  if (!attempt.identifier) await expectAccount(ports, attempt, question);
  return attempt;
}

/** Step-up: what the session proved need not be proved again, only what is missing. */
async function buildUpon(ports: SigninPorts, attempt: Attempt, { prompt, session }: Question): Promise<void> {
  if (!session?.accountId || !stepsUp(prompt)) return;
  const living = session.uid ? await ports.sessions.find(session.uid) : undefined;
  // One that says of itself that it proved less than its methods amount to is not built upon.
  if (!living?.amr || acrOf(living.amr) !== living.acr || !(await mayBuildUpon(ports, living))) return;
  attempt.upon = { session: living.uid, authTime: Math.floor(living.authTime.getTime() / 1000) };
  attempt.userId = session.accountId;
  attempt.proved = living.amr.filter((method) => method !== 'mfa');
  attempt.remember = living.remember;
  attempt.passwordSince = (await ports.passwords.changedAt(session.accountId))?.toISOString();
}

/** The application says by whom: straight there. */
async function followHint(
  { federation }: SigninPorts,
  attempt: Attempt,
  { params, prompt }: Question,
  wanted: readonly string[] | undefined,
): Promise<void> {
  const hint = providerHint(params);
  if (!hint || attempt.proved.length > 0 || !['login', 'create'].includes(prompt.name)) return;
  if ((!wanted || wanted.includes(hint)) && (await federation.providers.find(hint))) attempt.provider = hint;
}

/** Signing in again for a fresh proof: we know who it should be, and "Not you?" is at hand. */
async function expectAccount({ users }: SigninPorts, attempt: Attempt, { prompt, session }: Question): Promise<void> {
  if (prompt.name !== 'login' || !session?.accountId) return;
  attempt.identifier = (await users.byId(session.accountId))?.email ?? undefined;
}

/**
 * Whoever has no second factor makes one on the way. Not whoever has only come upon a session that somebody left open: it
 * has to be fresh, as for setting one up on the account pages.
 */
async function mayBuildUpon(
  { factors, clock }: Pick<SigninPorts, 'factors' | 'clock'>,
  { accountId, authTime }: { accountId: string; authTime: Date },
): Promise<boolean> {
  if ((clock.now().getTime() - authTime.getTime()) / 1000 <= freshSeconds) return true;
  return (await factors.choices(accountId, {})).length > 0;
}

/**
 * The attempt, or a new one if the password it proved has been replaced since, or the session it builds upon has ended:
 * whoever knew the old one, and waited half signed in, is no better off than a stranger.
 */
async function stillProved(
  { passwords, sessions }: Pick<SigninPorts, 'passwords' | 'sessions'>,
  attempt: Attempt,
): Promise<Attempt> {
  if (!attempt.userId) return attempt;
  const since = await passwords.changedAt(attempt.userId);
  const living = attempt.upon ? await sessions.find(attempt.upon.session) : undefined;
  const stands = !attempt.upon || living?.accountId === attempt.userId;
  if (stands && attempt.passwordSince === since?.toISOString()) return attempt;
  return { ...freshAttempt(), identifier: attempt.identifier, restarted: true };
}
