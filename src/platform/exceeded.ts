import type { Budget, Count } from './limits.ts';
import { Refusal } from './refusal.ts';

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
