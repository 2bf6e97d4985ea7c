import { type Bench, isGoalMode, type Row } from './support/bench.ts';
import { answered, freePort, start } from './support/processes.ts';
import { median } from './support/rounds.ts';

const discovery = '/.well-known/openid-configuration';

export const bench: Bench = {
  about: 'From the start of the process to the first discovery document, on a migrated database',
  async run({ place, modes, progress, quick }) {
    progress('start-up');
    const times = quick ? 3 : 7;
    const surroundings = await Promise.all(
      modes.map(async (mode) => {
        const env = await place.surroundings(mode);
        // Once before: brings the schema into shape and fills the compile cache.
        await startOnce('src/start.js', env);
        return { mode, env: { ...env, CARDEA_BOOTSTRAP: '' } };
      }),
    );
    const ours = surroundings.map(() => [] as number[]);
    const reference: number[] = [];
    const ceiling: number[] = [];
    await startOnce('bench/support/reference.ts');
    for (let nth = 0; nth < times; nth++) {
      for (const [index, { env }] of surroundings.entries()) ours[index]!.push(await startOnce('src/start.js', env));
      reference.push(await startOnce('bench/support/reference.ts'));
      ceiling.push(await startOnce('bench/support/ceiling.ts'));
    }
    return surroundings.map(({ mode }, index): Row => {
      const took = median(ours[index]!);
      return {
        bench: 'start-up',
        mode: `${mode.store === 'redis' ? 'PostgreSQL + Redis' : 'PostgreSQL'}${(mode.processes ?? 1) === 1 ? '' : ', one per core'}`,
        unit: 'ms',
        ours: took,
        reference: median(reference),
        ratio: took / median(reference),
        ceiling: median(ceiling),
        failures: 0,
        rounds: { ours: ours[index]!, reference },
        ...(isGoalMode(mode) && { goal: { wanted: '< 1000 ms, aim 350', met: took < 1000 } }),
      };
    });
  },
};

async function startOnce(file: string, env: Record<string, string> = {}): Promise<number> {
  const port = Number(env.PORT ?? (await freePort()));
  const running = start(process.execPath, [file, String(port)], { NODE_ENV: 'production', ...env });
  try {
    return await answered(port, discovery, running);
  } finally {
    await running.stop();
  }
}
