import { addressKey, type Budget, type Limits } from '../platform/index.ts';

type Size = { points: number; window: number };
type BudgetName = keyof typeof defaults;

const minutes = 60;
const hours = 60 * minutes;
const guesses = (points: number, window: number) => ({ points, window, onFault: 'closed' as const });
const nuisances = (points: number, window: number) => ({ points, window, onFault: 'open' as const });

/**
 * How often what may be done. Guesses at a secret are refused while they cannot be counted; what is merely a nuisance
 * when done too often is let through then, with a line in the log.
 */
const defaults = {
  /** Wrong passwords and codes for one account from one address … */
  signinPair: guesses(5, 15 * minutes),
  /** … for one account from all addresses where nobody has signed in to it before … */
  signinAccount: guesses(20, hours),
  /** … for all accounts from one address (a school, an office) … */
  signinAddress: guesses(100, hours),
  /** … and for one account on a device on which its owner has signed in. */
  signinDevice: guesses(10, 15 * minutes),

  /** Accounts made from one address. */
  registrations: nuisances(20, hours),
  /** Letters that anybody can have sent to one recipient, whether or not there is an account and a letter is sent. */
  lettersToRecipient: nuisances(5, hours),
  /** The same, asked for from one address. */
  lettersFromAddress: nuisances(30, hours),
  /** Codes and links tried from one address, right or wrong. */
  codes: guesses(60, 15 * minutes),
  /** Wrong codes of letters for one account, from everywhere: `proofs.ts` says what that leaves to chance. */
  wrongCodes: guesses(30, 24 * hours),
  /** Codes typed in on the page for devices: each guess could meet anybody's device (RFC 8628, section 5.1). */
  userCodes: guesses(10, 15 * minutes),
  /** Codes for the second factor by letter, for an account. */
  codesByLetter: nuisances(10, hours),
  /** Text messages: to a number … */
  smsToNumber: guesses(5, hours),
  /** … for an account … */
  smsToAccount: guesses(10, 24 * hours),
  /** … asked for from an address … */
  smsFromAddress: guesses(10, hours),
  /** … to all numbers that begin alike (country and carrier) … */
  smsToPrefix: guesses(30, hours),
  /** … and in a day, altogether. Closed while they cannot be counted: they cost money. */
  smsPerDay: guesses(1_000, 24 * hours),
  /** Wrong client secrets from one address … */
  clientFailures: guesses(50, 5 * minutes),
  /** … for one client from one address … */
  clientFailuresPair: guesses(20, 5 * minutes),
  /** … and for one client from all addresses from which it never proved itself. */
  clientFailuresEverywhere: guesses(500, hours),
  /** Requests of one client at the token, introspection and revocation endpoints. */
  clientRequests: nuisances(300_000, minutes),
  /** Requests of one address for the pages of one kind, as those of the sign-in. */
  pageRequests: nuisances(3_000, minutes),
} as const;

export type Budgets = Record<BudgetName, Budget>;

/** @param sizes the operator's; windows in seconds */
export function budgetsOf(sizes: Partial<Record<BudgetName, Size>> = {}): Budgets {
  const entries = Object.entries(defaults).map(([name, usual]) => {
    const { points, window } = sizes[name as BudgetName] ?? usual;
    return [name, { name, points, seconds: window, onFault: usual.onFault } satisfies Budget];
  });
  return Object.fromEntries(entries) as Budgets;
}

/**
 * One more text message. Each costs money, and some people earn by numbers they have messages sent to: so many to a number,
 * for an account, from an address, to all that begin alike, and altogether. To be called before anything is made.
 * @throws Refusal `limit.exceeded` (limited)
 */
export async function countMessage(
  { limits, budgets }: { limits: Pick<Limits, 'demand'>; budgets: Budgets },
  { number, userId, ip }: { number: string; userId: string; ip: string },
): Promise<void> {
  await limits.demand(budgets.smsToNumber, number);
  await limits.demand(budgets.smsToAccount, userId);
  await limits.demand(budgets.smsFromAddress, addressKey(ip));
  await limits.demand(budgets.smsToPrefix, number.slice(0, 7));
  await limits.demand(budgets.smsPerDay, 'all');
}
