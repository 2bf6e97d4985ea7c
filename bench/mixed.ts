import { step as credentials } from './client-credentials.ts';
import { step as discovery } from './discovery.ts';
import { steps as introspections } from './introspection.ts';
import { type Bench, throughput } from './support/bench.ts';
import { jars, tokens } from './support/prepare.ts';
import { steps as userinfos } from './userinfo.ts';

export const bench: Bench = {
  about: '64 connections, each: 8 introspections, 3 userinfos, 3 client credentials, 2 refreshes, a code, discovery',
  run: (context) =>
    throughput(context, {
      name: 'mixed, 64 connections',
      prepare: async (target) => {
        const live = [...(await introspections(target, 'opaque', 4)), ...(await introspections(target, 'jwt', 4))];
        return {
          connections: 64,
          steps: [
            ...live.slice(0, 4),
            { kind: 'refresh' as const },
            ...(await userinfos(target, 3)),
            credentials('opaque'),
            { kind: 'code' as const },
            ...live.slice(4),
            credentials('jwt'),
            { kind: 'refresh' as const },
            discovery,
            credentials('opaque'),
          ],
          tokens: (await tokens(target, 256)).map(({ refresh_token }) => refresh_token),
          jars: await jars(target, 128),
        };
      },
    }),
};
