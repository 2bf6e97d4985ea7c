import { startBalancer } from '../support/balancer.ts';
import { type Cardea, type CardeaOptions, startCardea } from '../support/cardea.ts';

/** Two processes on one database, and before them a balancer that gives each request to the next. */
export async function startPair(options: CardeaOptions = {}) {
  const balancer = await startBalancer();
  const first = await startCardea({
    ...options,
    env: { CARDEA_ISSUER: balancer.url, ...options.env },
    settings: { demo: { enabled: false }, ...options.settings },
  });
  balancer.before(first);
  const second = await startCardea({ beside: first });
  balancer.before(first, second);

  return {
    first,
    second,
    balancer,
    /** Both, one after the other: all requests go to the one whose turn it is. */
    async *each(): AsyncGenerator<Cardea> {
      for (const [index, one] of [first, second].entries()) {
        balancer.turnTo(index);
        yield one;
      }
      balancer.turnTo(undefined);
    },
    async stop() {
      await second.stop();
      await first.stop();
      await balancer.stop();
    },
  };
}

export type Pair = Awaited<ReturnType<typeof startPair>>;
