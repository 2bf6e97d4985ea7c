import type { Budget } from './budget.ts';

/** Most requests that one point of a shared budget stands for. */
const mostPerPoint = 50;
/** Callers that a process counts for at most. */
const mostCallers = 20_000;

/**
 * To count each request in the store costs a write, more than many a request does. So a process counts by itself, and one
 * point in the store stands for several requests.
 * @returns `share`: for how many; `shared`: the budget in such points
 */
export function inShares(budget: Budget): { share: number; shared: Budget } {
  const share = Math.max(1, Math.min(mostPerPoint, Math.floor(budget.points / 10)));
  return { share, shared: { ...budget, points: Math.ceil(budget.points / share) } };
}

/** Keeps it as the newest; the oldest goes when there are too many. */
export function keepCaller<T>(callers: Map<string, T>, key: string, fresh: T): T {
  callers.delete(key);
  if (callers.size >= mostCallers) callers.delete(callers.keys().next().value!);
  callers.set(key, fresh);
  return fresh;
}
