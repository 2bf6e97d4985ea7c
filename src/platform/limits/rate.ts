import { type Budget, exceeded } from './budget.ts';
import type { Limits } from './limits.ts';
import { inShares, keepCaller } from './shares.ts';

/** How much may be asked of a hot path: counted in the process, and told to the others now and then. */
export interface Rate {
  /**
   * Counts a request.
   * @returns nothing, or on every so manieth request a promise to wait for
   * @throws Refusal `limit.exceeded` (limited), at once or by the promise
   */
  demand(key: string): Promise<void> | undefined;
}

interface Running {
  count: number;
  /** When the process begins to count anew; milliseconds. */
  endsAt: number;
  refusedUntil: number;
}

/**
 * Counted in shares ({@link inShares}), each told when it is used up: whoever asks less never meets the store, and together
 * processes may let in a share each more than the budget has.
 */
export function createRate({ limits, budget }: { limits: Pick<Limits, 'take'>; budget: Budget }): Rate {
  const { share, shared } = inShares(budget);
  const running = new Map<string, Running>();

  const begin = (key: string, now: number): Running =>
    keepCaller(running, key, { count: 0, endsAt: now + budget.seconds * 1000, refusedUntil: 0 });

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
