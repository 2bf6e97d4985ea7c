import { type Bench, throughput } from './support/bench.ts';
import type { Target } from './support/place.ts';
import { tokens } from './support/prepare.ts';
import { forwarded } from './support/seeds.ts';

export const bench: Bench = {
  about: 'An application asks who somebody is; 64 tokens of 16 people in turn',
  run: (context) =>
    throughput(context, {
      name: 'userinfo',
      goal: 0.8,
      prepare: async (target) => ({ connections: context.connections, steps: await steps(target) }),
    }),
};

export const steps = async (target: Target, count = 64) =>
  (await tokens(target, count)).map(({ access_token }) => ({
    kind: 'fixed' as const,
    method: 'GET' as const,
    path: '/userinfo',
    headers: { ...forwarded, authorization: `Bearer ${access_token}` },
    marker: '"email":',
  }));
