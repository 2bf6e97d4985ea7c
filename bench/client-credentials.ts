import { type Bench, throughput } from './support/bench.ts';
import { clients, type Format, resources } from './support/seeds.ts';
import { formHeaders } from './support/visitor.ts';

export const bench: Bench = {
  about: 'A service gets an access token of its own, opaque and as a JWT',
  async run(context) {
    const rows = [];
    for (const format of ['opaque', 'jwt'] as const) {
      rows.push(
        ...(await throughput(context, {
          name: `client credentials, ${format}`,
          goal: 1,
          prepare: () => ({ connections: context.connections, steps: [step(format)] }),
        })),
      );
    }
    return rows;
  },
};

export const step = (format: Format) => ({
  kind: 'fixed' as const,
  method: 'POST' as const,
  path: '/token',
  headers: formHeaders(clients.service),
  body: new URLSearchParams({
    grant_type: 'client_credentials',
    resource: resources[format],
    scope: 'read',
  }).toString(),
  marker: '"access_token":',
});
