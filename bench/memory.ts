import { setTimeout as sleep } from 'node:timers/promises';
import { type Bench, isGoalMode, type Row } from './support/bench.ts';
import type { Target } from './support/place.ts';
import { family, memoryOf } from './support/processes.ts';

export const bench: Bench = {
  about: 'Memory of an idle Cardea, some seconds after it served its first requests; all its processes together',
  async run({ place, modes, progress, quick }) {
    progress('idle memory');
    const seconds = quick ? 4 : 15;
    // Of their own: those that have been under load keep what they needed then, as does the first start on a database.
    const ours = await Promise.all(modes.map((mode) => place.cardeaAgain({ ...mode, key: 'idle' })));
    const reference = await place.otherReference();
    for (const target of [...ours, reference]) await askOnce(target);
    await sleep(seconds * 1000);
    const other = megabytes(reference);
    return ours.map((target, index): Row => {
      const used = megabytes(target);
      return {
        bench: 'idle memory',
        mode: target.name,
        unit: 'MB',
        ours: used,
        reference: other,
        ratio: used / other,
        failures: 0,
        note: 'Resident memory; what processes share is counted once.',
        ...(isGoalMode(modes[index]!) && { goal: { wanted: '< 150 MB, aim 110', met: used < 150 } }),
      };
    });
  },
};

/** Of one process what is resident; of several the proportional shares, so that what they share counts once. */
function megabytes({ pid }: Target): number {
  const all = family(pid).map(memoryOf);
  const bytes = all.length === 1 ? all[0]?.rss : all.reduce((sum, one) => sum + (one?.pss ?? Number.NaN), 0);
  return (bytes ?? Number.NaN) / 1_000_000;
}

async function askOnce({ port }: Target): Promise<void> {
  const { createVisitor } = await import('./support/visitor.ts');
  for (const path of ['/.well-known/openid-configuration', '/jwks']) await createVisitor(port).send('GET', path);
}
