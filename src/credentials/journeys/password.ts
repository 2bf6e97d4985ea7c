import { Refusal } from '../../platform/index.ts';
import type { User } from '../../users/index.ts';
import type { By } from '../by.ts';
import type { PasswordContext } from '../passwords/policy.ts';
import type { Ports } from './ports.ts';

/** What the policy must know of a person. */
export const contextOf = (user: Pick<User, 'email' | 'name' | 'givenName' | 'familyName'>): PasswordContext => ({
  email: user.email ?? undefined,
  names: [user.name, user.givenName, user.familyName].map((name) => name ?? undefined),
});

/**
 * Whether it is theirs. Each wrong one counts as at the sign-in; one that was not looked at, by a fault, does not.
 * @param shown.device the device cookie
 * @throws Refusal `limit.exceeded` (limited), `credential.busy` (unavailable)
 */
export async function hasPassword(
  { passwords, attempts }: Ports,
  user: Pick<User, 'id' | 'email'>,
  shown: { password: string; ip: string; device?: string | undefined },
): Promise<boolean> {
  const { password, ip, device } = shown;
  const reservation = await attempts.before({ identifier: user.email ?? user.id, userId: user.id, device, ip });
  if (!reservation.allowed) {
    throw new Refusal('limit.exceeded', { kind: 'limited', retryAfter: reservation.retryAfter });
  }
  const isRight = await passwords.check(user.id, password).catch(async (error: unknown) => {
    await attempts.succeeded(reservation);
    throw error;
  });
  await (isRight ? attempts.succeeded(reservation) : attempts.failed(reservation));
  return isRight;
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
