import type { Budget } from '../platform/index.ts';

const minutes = 60;
const hours = 60 * minutes;
const guess = (name: string, points: number, seconds: number): Budget => ({ name, points, seconds, onFault: 'closed' });
const nuisance = (name: string, points: number, seconds: number): Budget => ({
  name,
  points,
  seconds,
  onFault: 'open',
});

/**
 * How often what may be done. Guesses at a secret are refused while they cannot be counted; what is merely a nuisance
 * when done too often is let through then, with a line in the log.
 */
export const budgets = {
  /** Wrong passwords and codes for one account from one address … */
  signinPair: guess('signin.pair', 5, 15 * minutes),
  /** … for one account from all addresses where nobody has signed in to it before … */
  signinAccount: guess('signin.account', 20, hours),
  /** … for all accounts from one address (a school, an office) … */
  signinAddress: guess('signin.address', 100, hours),
  /** … and for one account on a device on which its owner has signed in. */
  signinDevice: guess('signin.device', 10, 15 * minutes),

  /** Accounts made from one address. */
  registrations: nuisance('registration.address', 20, hours),
  /** Letters that anybody can have sent to one address, by registering it or asking for a new password. */
  lettersToRecipient: nuisance('mail.recipient', 5, hours),
  /** The same, asked for from one address. */
  lettersFromAddress: nuisance('mail.address', 30, hours),
  /** Codes and links tried from one address, right or wrong. */
  codes: guess('proof.address', 60, 15 * minutes),
  /** Codes typed in on the page for devices: each guess could meet anybody's device (RFC 8628, section 5.1). */
  userCodes: guess('device.user_code', 10, 15 * minutes),
  /** Wrong client secrets, assertions and certificates from one address. */
  clientFailures: guess('client.authentication', 50, 5 * minutes),
} as const satisfies Record<string, Budget>;
