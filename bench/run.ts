/**
 * npm run bench [-- <name>… | all] [--quick] [--modes redis,postgres,redis:cores,postgres:cores] [--rounds n]
 *   [--seconds n] [--connections n] [--json [file]]
 *
 * Without a name it lists what there is. See docs/guides/benchmarks.md.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Bench, goalMode, type Row } from './support/bench.ts';
import { type CardeaOptions, openPlace } from './support/place.ts';
import { machine, table } from './support/report.ts';

export const names = [
  'client-credentials',
  'introspection',
  'refresh',
  'code',
  'userinfo',
  'discovery',
  'sign-in',
  'mixed',
  'start-up',
  'memory',
  'full',
] as const;

const load = async (name: string): Promise<Bench> => ((await import(`./${name}.ts`)) as { bench: Bench }).bench;

async function list(): Promise<void> {
  console.log(
    'npm run bench -- <name>… | all [--quick] [--modes redis,postgres,redis:cores,postgres:cores] [--json]\n',
  );
  for (const name of names) console.log(`  ${name.padEnd(20)} ${(await load(name)).about}`);
}

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      modes: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      connections: { type: 'string', default: '32' },
    },
  });
  const wanted = positionals.includes('all') ? [...names] : positionals.filter((name) => !name.endsWith('.json'));
  const unknown = wanted.filter((name) => !(names as readonly string[]).includes(name));
  if (wanted.length === 0 || unknown.length > 0) {
    if (unknown.length > 0) console.error(`There is no benchmark ${unknown.join(', ')}.\n`);
    await list();
    return unknown.length > 0 ? 2 : 0;
  }
  const { quick } = values;
  const seconds = Number(values.seconds ?? (quick ? 2 : 4));
  // Optimised code comes in bit by bit: the busiest paths are at their speed after some ten seconds.
  const pace = {
    rounds: Number(values.rounds ?? (quick ? 3 : 5)),
    seconds,
    warmUp: quick ? seconds : Math.max(seconds, 12),
  };
  const where = machine();
  const progress = (what: string) => void process.stderr.write(`… ${what}\n`);
  progress(
    `${where.processor}, ${where.cores} cores, load ${where.loadAtStart[0]}, Node ${where.node}; ` +
      `${pace.rounds} rounds of ${pace.seconds} s by ${where.generator}`,
  );
  const place = await openPlace();
  const rows: Row[] = [];
  const close = () => place.close();
  const interrupted = () => void close().finally(() => process.exit(130));
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    const modes = modesFrom(values.modes, place.hasRedis);
    for (const name of wanted) {
      const bench = await load(name);
      rows.push(...(await bench.run({ place, pace, modes, connections: Number(values.connections), quick, progress })));
    }
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
    await close();
  }
  const report = JSON.stringify({ machine: where, pace, rows }, undefined, 2);
  const file = positionals.find((name) => name.endsWith('.json'));
  if (file) writeFileSync(file, `${report}\n`);
  console.log(values.json && !file ? report : `\n${table(rows)}`);
  const invalid = rows.filter(({ failures }) => failures > 0);
  if (invalid.length > 0)
    console.error(`\nINVALID: ${invalid.map(({ bench, mode }) => `${bench} (${mode})`).join(', ')}`);
  return invalid.length > 0 ? 1 : 0;
}

function modesFrom(text: string | undefined, hasRedis: boolean): CardeaOptions[] {
  const asked = text?.split(',').map((mode): CardeaOptions => {
    const [store, processes] = mode.trim().split(':');
    if (store !== 'redis' && store !== 'postgres') throw new Error(`a mode is redis or postgres, not ${store}`);
    return { store, processes: processes === 'cores' ? 'cores' : Number(processes ?? 1) };
  });
  const modes = asked ?? [goalMode, { store: 'postgres', processes: 1 }];
  if (hasRedis) return modes;
  console.error('redis-server is not on PATH: PostgreSQL only.');
  return modes.filter(({ store }) => store !== 'redis');
}

process.exit(await main(process.argv.slice(2)));
