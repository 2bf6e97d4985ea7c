import { type Bench, throughput } from './support/bench.ts';
import { jars } from './support/prepare.ts';

export const bench: Bench = {
  about: 'Somebody who is signed in goes to an application: a code, and tokens for it (two requests)',
  run: (context) =>
    throughput(context, {
      name: 'code with a session',
      goal: 0.8,
      prepare: async (target) => ({
        connections: context.connections,
        steps: [{ kind: 'code' }],
        jars: await jars(target, context.connections * 2),
      }),
    }),
};
