import { Refusal } from '../refusal.ts';

/** So many of something in so long. */
export interface Budget {
  /** Stable, `room.thing`: part of the key under which it is counted. */
  name: string;
  points: number;
  seconds: number;
  /**
   * What happens while the counters are out of reach. `closed` for guesses: an attacker who can bring the store down
   * must not thereby get guesses for nothing. `open` for nuisances, where refusing everyone does more harm.
   */
  onFault: 'open' | 'closed';
}

export interface Count {
  /** Points taken in this window, this one included; those refused count too. */
  taken: number;
  allowed: boolean;
  /** Seconds until the window ends: when refused, until another try makes sense. */
  retryAfter: number;
  /** Used up for a time (`Limits.block`), not by what may be given back. */
  blocked: boolean;
}

/** What a refusal tells of the budget it met: for the headers of the answer. */
export interface Spent {
  budget: string;
  points: number;
  seconds: number;
}

/** @returns Refusal `limit.exceeded` (limited) */
export const exceeded = ({ name, points, seconds }: Budget, retryAfter: number): Refusal =>
  new Refusal('limit.exceeded', {
    kind: 'limited',
    retryAfter,
    details: { budget: name, points, seconds } satisfies Spent,
  });

/**
 * How much is left, in the headers of draft-ietf-httpapi-ratelimit-headers. The name of a policy is the budget's.
 */
export const rateLimitHeaders = (budget: Budget, count: Pick<Count, 'taken' | 'retryAfter'>) => ({
  'ratelimit-policy': `"${budget.name}";q=${budget.points};w=${budget.seconds}`,
  ratelimit: `"${budget.name}";r=${Math.max(0, budget.points - count.taken)};t=${Math.ceil(count.retryAfter)}`,
});

/** The headers of an answer that tells a refusal: when to come again, and which budget was used up. */
export function refusalHeaders({ retryAfter, details }: Pick<Refusal, 'retryAfter' | 'details'>) {
  if (!retryAfter) return {};
  const { budget: name, points, seconds } = details as Partial<Spent>;
  const policy = name !== undefined && points !== undefined && seconds !== undefined;
  return {
    'retry-after': String(Math.ceil(retryAfter)),
    ...(policy && rateLimitHeaders({ name, points, seconds, onFault: 'open' }, { taken: points, retryAfter })),
  };
}
