import type { Events } from '../../events/index.ts';
import type { LetterName, Letters, Mail } from '../../mail/index.ts';
import type { Db } from '../../platform/db/index.ts';
import { addressKey, type Clock, type Limits, Refusal } from '../../platform/index.ts';
import type { Sessions } from '../../sessions/index.ts';
import { emailKey, type User, type Users } from '../../users/index.ts';
import type { Attempts } from '../attempts.ts';
import type { Budgets } from '../budgets.ts';
import type { By } from '../by.ts';
import type { Captcha } from '../captcha/captcha.ts';
import type { Factors } from '../factors/factors.ts';
import type { RememberedDevices } from '../factors/remembered-devices.ts';
import type { Links } from '../links.ts';
import type { Passwords } from '../passwords/passwords.ts';
import type { PasswordContext, PasswordPolicy } from '../passwords/policy.ts';
import type { Proof, ProofPurpose, Proofs } from '../proofs.ts';

// What the journeys (register, verify, reset, change) are built from, and what they have in common.

/** The browser and the person at the other end, as far as letters and the journal need them. */
export interface Asker {
  ip: string;
  /** Language of the letters. */
  locale: string;
  /** Handle of a letter that this browser has asked for before. */
  handle?: string | undefined;
  /** Handed to {@link Links}. */
  resume?: string | undefined;
}

export interface Ports {
  db: Db;
  clock: Clock;
  limits: Limits;
  budgets: Budgets;
  users: Pick<Users, 'byId' | 'byEmail' | 'create' | 'change' | 'update'>;
  sessions: Pick<Sessions, 'endAllOf'>;
  events: Pick<Events, 'record'>;
  mail: Pick<Mail, 'send'>;
  passwords: Passwords;
  policy: PasswordPolicy;
  proofs: Proofs;
  attempts: Attempts;
  captcha: Pick<Captcha, 'seen'>;
  links: Links;
  rememberedDevices: Pick<RememberedDevices, 'forgetAll'>;
  factors: Pick<Factors, 'of'>;
  /** Of {@link Notices}. */
  notices: { link(userId: string, what: 'password-changed'): Promise<string> };
  settings: JourneySettings;
}

/** Seconds, but for the last. */
export interface JourneySettings {
  verificationLink: number;
  resetLink: number;
  invitationLink: number;
  /** Milliseconds that registering and asking for a reset take at least, whether or not the address is known. */
  evenAnswer: number;
  registration: 'open' | 'invited' | 'closed';
}

export const minutes = (seconds: number): number => Math.round(seconds / 60);

/** What the policy must know of a person. */
export const contextOf = (user: Pick<User, 'email' | 'name' | 'givenName' | 'familyName'>): PasswordContext => ({
  email: user.email ?? undefined,
  names: [user.name, user.givenName, user.familyName].map((name) => name ?? undefined),
});

/** One more code or link from this address. @throws Refusal `limit.exceeded` */
export const countCode = ({ limits, budgets }: Ports, ip: string): Promise<void> =>
  limits.demand(budgets.codes, addressKey(ip));

/**
 * A code, tried from here: each counts against the address it comes from, and each wrong one against the account, whoever
 * tries from wherever and however many letters were asked for meanwhile. Once the account's are used up for the day no code
 * is right; it is said in the same words, and the letter's link is still good.
 * @throws Refusal `proof.code_refused` (invalid), `limit.exceeded` (limited)
 */
export async function matchCode(
  ports: Ports,
  { ip, ...shown }: { handle: string; purpose: ProofPurpose; code: string; ip: string },
): Promise<Proof> {
  await countCode(ports, ip);
  const { limits, budgets, proofs } = ports;
  const open = await proofs.behind(shown.handle, shown.purpose);
  // A handle that leads nowhere costs the same: whether there is an account must not show in the time it takes.
  const key = open?.userId ?? shown.handle;
  const { allowed } = await limits.take(budgets.wrongCodes, key);
  if (!allowed) throw new Refusal('proof.code_refused', { kind: 'invalid' });
  const proof = await proofs.matchCode(shown);
  await limits.giveBack(budgets.wrongCodes, key);
  return proof;
}

/**
 * One more letter asked for from here, and one more to there; whether there is anybody makes no difference.
 * @throws Refusal `limit.exceeded`, `mail.too_many` (limited)
 */
export async function countLetter({ limits, budgets }: Ports, ip: string, to: string): Promise<void> {
  await limits.demand(budgets.lettersFromAddress, addressKey(ip));
  const { allowed, retryAfter } = await limits.take(budgets.lettersToRecipient, emailKey(to));
  if (!allowed) throw new Refusal('mail.too_many', { kind: 'limited', retryAfter });
}

/**
 * Puts a letter that was asked for into the open transaction. When `mail`, which counts once more what it really
 * sends, finds that there were too many, it is left out in silence: only those who exist are sent any.
 */
export async function send<L extends LetterName>(
  { mail }: Ports,
  letter: L,
  options: { to: string; locale: string; params: Letters[L] },
): Promise<void> {
  try {
    await mail.send(letter, options);
  } catch (error) {
    if (!(error instanceof Refusal && error.code === 'mail.too_many')) throw error;
  }
}

/**
 * Whose proof it is: a person who may go on and still has the address that the letter went to.
 * @throws Refusal `proof.spent` (conflict)
 */
export async function personOf({ users }: Ports, proof: Proof): Promise<User> {
  const user = await users.byId(proof.userId);
  if (!user || user.isStopped() || !user.email || emailKey(user.email) !== emailKey(proof.email)) {
    throw new Refusal('proof.spent', { kind: 'conflict' });
  }
  return user;
}

/** A letter was answered, so the address is the person's; whoever waited for that becomes active. */
export async function proveAddress(ports: Ports, user: User, by: By): Promise<void> {
  if (user.may('verify')) {
    await ports.users.change(user.id, 'verify', by);
  } else if (!user.isEmailVerified()) {
    await ports.users.update(user.id, by, (known) =>
      known.changeEmail(known.email!, { at: ports.clock.now() }, { verified: true }),
    );
  }
}

/** Puts the new password in place: everything that was signed in with the old one ends, and the owner is told. */
export async function replacePassword(
  ports: Ports,
  input: {
    user: User;
    prepared: { hash: string };
    by: By;
    locale: string;
    except?: string | undefined;
    reason: string;
  },
): Promise<void> {
  const { user, prepared, by, locale, except, reason } = input;
  const { passwords, proofs, sessions, events, mail, notices, rememberedDevices, clock } = ports;
  const had = await passwords.has(user.id);
  await passwords.store(user.id, prepared);
  // No older link may set it again, nor sign in the browser of somebody who registered the address before its owner did.
  await proofs.revoke(user.id);
  await sessions.endAllOf(user.id, reason, except ? { except } : {});
  await rememberedDevices.forgetAll(user.id);
  const kind = 'password';
  await events.record({
    type: had ? 'credential.changed' : 'credential.added',
    ...by,
    subject: user.id,
    data: { kind },
  });
  if (!user.email) return;
  await mail.send('password-changed', {
    to: user.email,
    locale: user.locale ?? locale,
    timeZone: user.profile.zoneinfo,
    params: { when: clock.now(), link: await notices.link(user.id, 'password-changed') },
  });
}
