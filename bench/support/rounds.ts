import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import type { Load, Measured } from './measured.ts';
import type { Target } from './place.ts';
import { processorSeconds } from './processes.ts';

export interface Pace {
  rounds: number;
  seconds: number;
  /** Seconds before the first round that do not count. */
  warmUp: number;
}

export interface Figure extends Measured {
  target: Pick<Target, 'name' | 'kind'>;
  /** Processor time of the target's own processes, in milliseconds for a step. Hardly moves with the machine's load. */
  processor?: number;
  /** Rates of the rounds, in the order they were run. */
  rates: number[];
}

type Prepared = Omit<Load, 'port' | 'seconds'>;

/**
 * Runs the same load on several targets, in alternation, and takes the medians. What else the machine does meets all of
 * them alike.
 * @param prepare is asked before each round
 */
export async function compare(
  targets: Target[],
  prepare: (target: Target, round: number) => Promise<Prepared> | Prepared,
  { rounds, seconds, warmUp }: Pace,
): Promise<Figure[]> {
  const runs = targets.map(() => [] as (Measured & { processor?: number })[]);
  // Compilers and caches warm up in a round that does not count: what is measured is a process in service.
  for (const target of targets) {
    const before = target.kind === 'ceiling' ? seconds : warmUp;
    await run(target, await prepare(target, 0), before);
  }
  for (let round = 1; round <= rounds; round++) {
    const order = targets.map((_, index) => (round % 2 ? index : targets.length - 1 - index));
    for (const index of order) {
      const target = targets[index]!;
      const measured = await run(target, await prepare(target, round), seconds);
      if (measured.failures > 0) shout(target, round, measured);
      runs[index]!.push(measured);
    }
  }
  return targets.map((target, index) => figure(target, runs[index]!));
}

function shout(target: Target, round: number, { failures, count, sample }: Measured): void {
  const line = '!'.repeat(100);
  process.stderr.write(
    `\n${line}\nINVALID: round ${round} on ${target.name} had ${failures} failed requests besides ${count}.\n` +
      `The first: ${sample}\nIt said: ${target.said().slice(-2_000)}\n${line}\n\n`,
  );
}

function figure(target: Target, runs: (Measured & { processor?: number })[]): Figure {
  const of = (name: 'rate' | 'p50' | 'p99' | 'processor') => median(runs.map((run) => run[name] ?? Number.NaN));
  const processor = of('processor');
  return {
    target: { name: target.name, kind: target.kind },
    rate: of('rate'),
    p50: of('p50'),
    p99: of('p99'),
    ...(Number.isFinite(processor) && { processor }),
    rates: runs.map(({ rate }) => rate),
    count: runs.reduce((sum, { count }) => sum + count, 0),
    failures: runs.reduce((sum, { failures }) => sum + failures, 0),
  };
}

export const median = (values: number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

async function run(target: Target, prepared: Prepared, seconds: number): Promise<Measured & { processor?: number }> {
  const pids = target.pids();
  const before = processorSeconds(pids);
  const measured = await generate({ ...prepared, port: target.port, seconds });
  const after = processorSeconds(pids);
  if (before === undefined || after === undefined) return measured;
  return { ...measured, processor: ((after - before) * 1000) / measured.count };
}

/** In a process of its own. */
async function generate(load: Load): Promise<Measured> {
  const child = spawn(process.execPath, [new URL('load.ts', import.meta.url).pathname], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const late = setTimeout(() => child.kill('SIGKILL'), (load.seconds + 30) * 1000);
  child.stdin.end(JSON.stringify(load));
  const said = await text(child.stdout);
  clearTimeout(late);
  if (!said) throw new Error('the load generator gave no figures');
  return JSON.parse(said) as Measured;
}
