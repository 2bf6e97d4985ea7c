import type { Context } from 'koa';
import { type Budget, type Clock, type Limits, Refusal } from '../platform/index.ts';

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

/** One client, as this process has counted it. */
interface Tally {
  /** Requests since the beginning; every {@link share} of them take a point. */
  count: number;
  /** Points that all processes together had taken of the window, when a point was last taken here. */
  taken: number;
  /** When that window ends, in milliseconds. */
  until: number;
}

/**
 * How much one client may ask. Every process counts for itself and takes a point of the budget for each
 * {@link share} requests, beginning with the first: none can begin anew by going to another process.
 */
export function createRate({ limits, budget, clock }: { limits: Limits; budget: Budget; clock: Clock }) {
  const tallies = new Map<string, Tally>();
  const now = () => clock.now().getTime();

  const takePoint = async (clientId: string): Promise<Pick<Tally, 'taken' | 'until'>> => {
    const { taken, allowed, retryAfter } = await limits.take(budget, clientId);
    // Refused ones do not move the count on: the next asks again.
    if (!allowed)
      throw new Refusal('limit.exceeded', { kind: 'limited', retryAfter, details: { budget: budget.name } });
    return { taken, until: now() + retryAfter * 1_000 };
  };

  /** What is left, as far as this process knows: what others have taken since shows when the next point is taken. */
  const tell = (ctx: Context | undefined, { count, taken, until }: Tally): void => {
    const seconds = Math.max(0, Math.ceil((until - now()) / 1_000));
    const used = seconds === 0 ? 0 : taken * share - (share - 1 - ((count - 1) % share));
    announce(ctx, budget.points * share - used, seconds || budget.seconds);
  };

  /** draft-ietf-httpapi-ratelimit-headers */
  const announce = (ctx: Context | undefined, left: number, seconds: number): void => {
    ctx?.set('ratelimit-policy', `"requests";q=${budget.points * share};w=${budget.seconds}`);
    ctx?.set('ratelimit', `"requests";r=${Math.max(0, left)};t=${seconds}`);
  };

  return {
    /**
     * Counts a request, and says in the answer's headers how many are left.
     * @param ctx absent for one of many that came as one request
     * @throws Refusal `limit.exceeded` (limited)
     */
    async demand(clientId: string, ctx?: Context): Promise<void> {
      const before = tallies.get(clientId) ?? { count: 0, taken: 0, until: 0 };
      if (tallies.size >= mostClients) tallies.clear();
      try {
        const point = before.count % share === 0 ? await takePoint(clientId) : undefined;
        // Others may have counted on meanwhile.
        const tally = tallies.get(clientId) ?? before;
        const next = { ...tally, ...point, count: tally.count + 1 };
        tallies.set(clientId, next);
        tell(ctx, next);
      } catch (error) {
        if (error instanceof Refusal && error.kind === 'limited') announce(ctx, 0, Math.ceil(error.retryAfter ?? 1));
        throw error;
      }
    },
  };
}
