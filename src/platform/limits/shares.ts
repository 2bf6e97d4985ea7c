import type { Budget } from './budget.ts';

/** Requests that one point of a shared budget stands for: at most a tenth of a small one, and little of a large one. */
const requestsPerPoint = (points: number): number =>
  Math.max(1, Math.floor(points < 25_000 ? Math.min(50, points / 10) : points / 500));

/** Callers that a process counts for at most. */
const mostCallers = 20_000;

/**
 * To count each request in the store costs a write, more than many a request does. So a process counts by itself, and one
 * point in the store stands for several requests.
 * @returns `share`: for how many; `shared`: the budget in such points
 */
export function inShares(budget: Budget): { share: number; shared: Budget } {
  const share = requestsPerPoint(budget.points);
  return { share, shared: { ...budget, points: Math.ceil(budget.points / share) } };
}

/** Keeps it as the newest; the oldest goes when there are too many. */
export function keepCaller<T>(callers: Map<string, T>, key: string, fresh: T): T {
  callers.delete(key);
  if (callers.size >= mostCallers) callers.delete(callers.keys().next().value!);
  callers.set(key, fresh);
  return fresh;
}
