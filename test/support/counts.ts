import type { Limits } from '../../src/platform/index.ts';

/** The store in which processes count together, answering a turn later. */
export function countsStore() {
  const taken = new Map<string, number>();
  const limits: Pick<Limits, 'take'> = {
    async take({ points }, key) {
      const now = (taken.get(key) ?? 0) + 1;
      taken.set(key, now);
      await new Promise(setImmediate);
      return { taken: now, allowed: now <= points, blocked: false, retryAfter: 30 };
    },
  };
  return { limits, taken };
}
