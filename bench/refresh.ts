import { type Bench, throughput } from './support/bench.ts';
import { tokens } from './support/prepare.ts';

export const bench: Bench = {
  about: 'A refresh token is traded for the next one and an ID token; each is used once',
  run: (context) =>
    throughput(context, {
      name: 'refresh with rotation',
      goal: 0.6,
      note: 'Ours survive a power cut before they are answered; the reference keeps them in memory.',
      prepare: async (target) => ({
        connections: context.connections,
        steps: [{ kind: 'refresh' }],
        // More than there are connections, and new chains for each round: the reference slows down as they grow.
        tokens: (await tokens(target, 4 * context.connections)).map(({ refresh_token }) => refresh_token),
      }),
    }),
};
