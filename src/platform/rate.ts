import { type Budget, exceeded, type Limits } from './limits.ts';

/** How much may be asked of a hot path: counted in the process, and told to the others now and then. */
export interface Rate {
  /**
   * Counts a request.
   * @returns nothing, or on every so manieth request a promise to wait for
   * @throws Refusal `limit.exceeded` (limited), at once or by the promise
   */
  demand(key: string): Promise<void> | undefined;
}

/** Requests that one point of the shared budget stands for, and keys that a process counts for at most. */
const mostPerPoint = 50;
const mostKeys = 20_000;

interface Running {
  count: number;
  /** When the process begins to count anew; milliseconds. */
  endsAt: number;
  refusedUntil: number;
}

/**
 * A count in the store for each request would cost more than many a request. So every process counts for itself and
 * takes a point of the budget for each {@link mostPerPoint} requests; whoever asks less never meets the store.
 */
export function createRate({ limits, budget }: { limits: Pick<Limits, 'take'>; budget: Budget }): Rate {
  const share = Math.max(1, Math.min(mostPerPoint, Math.floor(budget.points / 10)));
  const shared: Budget = { ...budget, points: Math.ceil(budget.points / share) };
  const running = new Map<string, Running>();

  const begin = (key: string, now: number): Running => {
    if (running.size >= mostKeys) running.delete(running.keys().next().value!);
    const fresh = { count: 0, endsAt: now + budget.seconds * 1000, refusedUntil: 0 };
    running.delete(key);
    running.set(key, fresh);
    return fresh;
  };

  const tell = async (key: string, mine: Running): Promise<void> => {
    const { allowed, retryAfter } = await limits.take(shared, key);
    if (allowed) return;
    mine.refusedUntil = performance.now() + retryAfter * 1000;
    throw exceeded(budget, retryAfter);
  };

  return {
    demand(key) {
      const now = performance.now();
      let mine = running.get(key);
      if (!mine || (mine.endsAt <= now && mine.refusedUntil <= now)) mine = begin(key, now);
      if (mine.refusedUntil > now) throw exceeded(budget, (mine.refusedUntil - now) / 1000);
      mine.count++;
      return mine.count % share === 0 ? tell(key, mine) : undefined;
    },
  };
}
