import { type Budget, exceeded, type Limits } from '../platform/index.ts';

/** So many requests one point of the budget stands for: provisioning is fast, and counting costs a write. */
const share = 50;
const mostClients = 10_000;

/** @param size the operator's; the window in seconds */
export const scimBudget = ({ points, window }: { points: number; window: number }): Budget => ({
  name: 'scimRequests',
  points: Math.max(1, Math.ceil(points / share)),
  seconds: window,
  // Provisioning that stands still for a fault of the counters does more harm than some requests too many.
  onFault: 'open',
});

/**
 * How much one client may ask. Every process counts for itself and takes a point of the budget for each
 * {@link share} requests, beginning with the first: none can begin anew by going to another process.
 */
export function createRate({ limits, budget }: { limits: Limits; budget: Budget }) {
  const counts = new Map<string, number>();
  return {
    /** @throws Refusal `limit.exceeded` (limited) */
    async demand(clientId: string): Promise<void> {
      const count = counts.get(clientId) ?? 0;
      if (counts.size >= mostClients) counts.clear();
      if (count % share === 0) {
        // Refused ones do not move the count on: the next asks again.
        const { allowed, retryAfter } = await limits.take(budget, clientId);
        if (!allowed) throw exceeded({ ...budget, points: budget.points * share }, retryAfter);
      }
      counts.set(clientId, count + 1);
    },
  };
}
