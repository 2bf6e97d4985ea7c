import type { LetterName, Letters } from '../../mail/index.ts';
import { addressKey, Refusal } from '../../platform/index.ts';
import { emailKey, type User } from '../../users/index.ts';
import type { Ports } from './ports.ts';

export const minutes = (seconds: number): number => Math.round(seconds / 60);

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
 * Somebody who can be written to, and where.
 * @throws Refusal `user.unknown` (missing)
 */
export async function reachable({ users }: Ports, userId: string): Promise<{ user: User; to: string }> {
  const user = await users.byId(userId);
  if (!user?.email || user.isStopped()) throw new Refusal('user.unknown', { kind: 'missing' });
  return { user, to: user.email };
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
