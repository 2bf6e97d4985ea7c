import { addressKey, Refusal } from '../../platform/index.ts';
import { emailKey, type User } from '../../users/index.ts';
import type { By } from '../by.ts';
import type { Proof, ProofPurpose } from '../proofs.ts';
import type { Ports } from './ports.ts';

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
