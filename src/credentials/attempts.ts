import { setTimeout as pause } from 'node:timers/promises';
import { addressKey, allOf, type Budget, type Clock, type Limits, type Vault } from '../platform/index.ts';
import { emailKey, isEmail } from '../users/index.ts';
import { type Budgets, budgetsOf } from './budgets.ts';
import { createDevices, type Devices } from './devices.ts';

/** Who tries. */
export interface Attempt {
  /** What was typed as the name of the account; whether there is such an account makes no difference. */
  identifier: string;
  ip: string;
  /** The person, if the account is known. Serves only to recognise a device of theirs. */
  userId?: string | undefined;
  /** The device cookie, if the browser sent one. */
  device?: string | undefined;
}

interface Lane {
  budget: Budget;
  key: string;
}

/** A point taken from a budget, to be given back or to cost. */
interface Taken extends Lane {
  /** It was the last one. */
  last: boolean;
}

/** An attempt that was counted before it was made; hand it to {@link Attempts.failed} or {@link Attempts.succeeded}. */
export interface Reservation {
  allowed: true;
  readonly taken: readonly Taken[];
}

export interface Attempts extends Devices {
  /** Counts the attempt. To be called before the secret is looked at, and once for each look. */
  before(attempt: Attempt): Promise<Reservation | { allowed: false; retryAfter: number }>;
  /** It was wrong. @returns seconds to wait before the next, if any */
  failed(reservation: Reservation): Promise<{ retryAfter: number }>;
  /** It was right, or was not looked at after all (a fault): gives back what was counted. */
  succeeded(reservation: Reservation): Promise<void>;
}

export interface AttemptSettings {
  /** Seconds of the first wait, doubled by each further one within a day; default 60. */
  firstWait?: number;
  /** Longest wait in seconds, default 4 hours. */
  longestWait?: number;
  /** Milliseconds for which one waits for others whose attempts are just being looked at; default 3 seconds. */
  patience?: number;
}

const day = 24 * 60 * 60;
/** Milliseconds after which one looks again whether an attempt under way gave its point back. */
const lookAgain = 150;
/** Seconds to wait when too many are under way. */
const soon = 5;

/**
 * Limits guessing at passwords and codes: for one account from one address, for one account from everywhere, and for one
 * address at all accounts. Each has some free attempts, then waits that double.
 *
 * Whoever wants to lock somebody out can use up the account's budget for strangers, but not that of a device on
 * which the person has signed in before: it has a lane of its own, which neither the account's nor its address's
 * strangers can fill.
 *
 * ```
 *  before ── a point from each budget ──▶ allowed ──▶ failed: the last point starts a wait
 *     │                                                 succeeded: the points come back
 *     └── one is empty ──▶ blocked: all back, refused
 *                      └─▶ attempts under way hold its points: wait a moment for those that were right
 * ```
 */
export function createAttempts(options: {
  limits: Limits;
  clock: Clock;
  vault: Vault;
  budgets?: Budgets;
  settings?: AttemptSettings;
}): Attempts {
  const { limits, vault, clock, budgets = budgetsOf(), settings = {} } = options;
  const { firstWait = 60, longestWait = 4 * 60 * 60, patience = 3_000 } = settings;
  const devices = createDevices({ vault, clock });

  /** The narrowest first: what one browser does too often at one account costs the account and the address nothing. */
  const lanesOf = (attempt: Attempt): Lane[][] => {
    const account = accountKey(attempt.identifier);
    const device = devices.deviceOf(attempt.device, attempt.userId);
    if (device) return [[{ budget: budgets.signinDevice, key: `${device} ${attempt.userId}` }]];
    const address = addressKey(attempt.ip);
    const wide = [
      { budget: budgets.signinAddress, key: address },
      { budget: budgets.signinAccount, key: account },
    ];
    return [[{ budget: budgets.signinPair, key: `${address} ${account}` }], wide];
  };

  /** How often in a day the budget has been used up. */
  const roundsOf = ({ name, onFault }: Budget): Budget => ({
    name: `${name}.rounds`,
    points: 1_000_000,
    seconds: day,
    onFault,
  });

  const giveBack = (taken: readonly Taken[]) =>
    Promise.all(taken.map(({ budget, key }) => limits.giveBack(budget, key)));

  /** A point, at once or when one comes back; a refused try leaves no trace. */
  const takeOne = async (budget: Budget, key: string, until: number) => {
    for (;;) {
      const count = await limits.take(budget, key);
      if (count.allowed) return count;
      await limits.giveBack(budget, key);
      // All that is left of attempts that were wrong is a block, so these points are still with their attempts.
      if (count.blocked) return count;
      if (performance.now() > until) return { ...count, retryAfter: Math.min(count.retryAfter, soon) };
      await pause(lookAgain * (0.5 + Math.random()));
    }
  };

  return {
    ...devices,

    async before(attempt) {
      const taken: Taken[] = [];
      const until = performance.now() + patience;
      const take = async ({ budget, key }: Lane) => {
        const count = await takeOne(budget, key, until);
        if (count.allowed) taken.push({ budget, key, last: count.taken === budget.points });
        return count;
      };
      for (const lanes of lanesOf(attempt)) {
        const counts = await allOf(lanes.map(take)).catch(async (error: unknown) => {
          // One cannot be counted; what was taken of the others would be missed until their windows end.
          await giveBack(taken).catch(() => {});
          throw error;
        });
        const refused = counts.filter(({ allowed }) => !allowed);
        if (refused.length > 0) {
          await giveBack(taken);
          return { allowed: false, retryAfter: Math.max(1, ...refused.map(({ retryAfter }) => retryAfter)) };
        }
      }
      return { allowed: true, taken };
    },

    async failed({ taken }) {
      let retryAfter = 0;
      for (const { budget, key } of taken.filter(({ last }) => last)) {
        const { taken: rounds } = await limits.take(roundsOf(budget), key);
        const wait = Math.min(longestWait, firstWait * 2 ** Math.min(rounds - 1, 20));
        await limits.block(budget, key, wait);
        retryAfter = Math.max(retryAfter, wait);
      }
      return { retryAfter };
    },

    async succeeded({ taken }) {
      await giveBack(taken);
    },
  };
}

/**
 * The same account however it is spelled, or each spelling of its domain would bring fresh guesses; up to a length
 * beyond which nothing is an account's name.
 */
const accountKey = (identifier: string): string =>
  isEmail(identifier)
    ? emailKey(identifier)
    : identifier.slice(0, 512).trim().normalize('NFKC').toLowerCase().normalize('NFKC').slice(0, 512);
