import { type Bench, throughput } from './support/bench.ts';

export const bench: Bench = {
  about: 'The discovery document',
  run: (context) =>
    throughput(context, {
      name: 'discovery',
      prepare: () => ({ connections: context.connections, steps: [step] }),
    }),
};

export const step = {
  kind: 'fixed' as const,
  method: 'GET' as const,
  path: '/.well-known/openid-configuration',
  marker: '"token_endpoint":',
};
