import { type Bench, throughput } from './support/bench.ts';
import type { Target } from './support/place.ts';
import { tokens } from './support/prepare.ts';
import { clients, type Format } from './support/seeds.ts';
import { formHeaders } from './support/visitor.ts';

export const bench: Bench = {
  about: 'An API asks whether a token of a person is live; 64 tokens of 16 people in turn',
  async run(context) {
    const rows = [];
    for (const format of ['opaque', 'jwt'] as const) {
      rows.push(
        ...(await throughput(context, {
          name: `introspection, ${format}`,
          goal: 2.5,
          ...(format === 'jwt' && { note: 'The engine cannot introspect a JWT: it is asked for opaque tokens.' }),
          prepare: async (target) => ({ connections: context.connections, steps: await steps(target, format) }),
        })),
      );
    }
    return rows;
  },
};

export async function steps(target: Target, format: Format, count = 64) {
  const all = await tokens(target, count, target.kind === 'ours' ? format : 'opaque');
  return all.map(({ access_token }) => ({
    kind: 'fixed' as const,
    method: 'POST' as const,
    path: '/introspect',
    headers: formHeaders(clients.api),
    body: new URLSearchParams({ token: access_token }).toString(),
    marker: '"active":true',
  }));
}
