import { type Budget, type Count, exceeded } from './budget.ts';
import type { Limits } from './limits.ts';
import { inShares, keepCaller } from './shares.ts';

/** What each caller may ask, and how much of it is left. */
export interface Allowance {
  /**
   * Counts a request.
   * @returns what is taken of the budget, as far as this process knows
   * @throws Refusal `limit.exceeded` (limited)
   */
  demand(key: string): Promise<Pick<Count, 'taken' | 'retryAfter'>>;
}

interface Held {
  /** Requests of the points taken so far that are left. */
  left: number;
  /** Taken by all processes when a point was last taken here. */
  taken: number;
  /** When the window ends; milliseconds. */
  until: number;
  refused: boolean;
  taking?: Promise<void> | undefined;
}

/**
 * Counted in shares ({@link inShares}), which a process takes before they are asked for: however many processes there are,
 * and however many ask at one moment, no more are let in than the budget has.
 */
export function createAllowance({ limits, budget }: { limits: Pick<Limits, 'take'>; budget: Budget }): Allowance {
  const { share, shared } = inShares(budget);
  /** When so many are left the next are taken, so that hardly anybody waits for the store. */
  const ahead = share < 10 ? -1 : Math.floor(share / 2);
  const holds = new Map<string, Held>();

  const holdOf = (key: string): Held => {
    const known = holds.get(key);
    if (known && (known.until > performance.now() || known.taking)) return known;
    return keepCaller(holds, key, { left: 0, taken: 0, until: 0, refused: false });
  };

  const take = async (key: string, mine: Held): Promise<void> => {
    try {
      const { taken, allowed, retryAfter } = await limits.take(shared, key);
      const now = performance.now();
      // What was left of the window before is gone with it.
      const kept = mine.until > now ? mine.left : 0;
      // While nothing can be counted nobody is told of a window.
      mine.until = now + Math.max(1, retryAfter) * 1000;
      mine.taken = Math.min(budget.points, taken * share);
      mine.left = kept + (allowed ? share - Math.max(0, taken * share - budget.points) : 0);
      mine.refused = !allowed;
    } finally {
      mine.taking = undefined;
    }
  };

  const taking = (key: string, mine: Held): Promise<void> => {
    mine.taking ??= take(key, mine);
    return mine.taking;
  };

  return {
    async demand(key) {
      for (;;) {
        const mine = holdOf(key);
        const retryAfter = Math.max(0, Math.ceil((mine.until - performance.now()) / 1000));
        if (mine.left > 0) {
          mine.left--;
          // Who asks when none is left tries again.
          if (mine.left === ahead && !mine.refused) taking(key, mine).catch(() => {});
          return { taken: mine.taken - mine.left, retryAfter };
        }
        if (mine.refused) throw exceeded(budget, retryAfter);
        await taking(key, mine);
      }
    },
  };
}
