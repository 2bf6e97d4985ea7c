import { type Bench, throughput } from './support/bench.ts';
import type { Target } from './support/place.ts';
import { jars } from './support/prepare.ts';
import type { Jar } from './support/visitor.ts';

export const bench: Bench = {
  about: 'Somebody who is signed in goes to an application: a code, and tokens for it (two requests)',
  run(context) {
    // Once for all rounds: a sign-in is followed by a letter and by notes in the journal, which are not what is measured.
    const signedIn = new Map<Target, Promise<Jar[]>>();
    const sessionsOf = (target: Target) => {
      if (!signedIn.has(target)) signedIn.set(target, jars(target, context.connections * 2));
      return signedIn.get(target)!;
    };
    return throughput(context, {
      name: 'code with a session',
      goal: 0.8,
      prepare: async (target) => ({
        connections: context.connections,
        steps: [{ kind: 'code' }],
        jars: await sessionsOf(target),
      }),
    });
  },
};
