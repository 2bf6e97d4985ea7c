import type { CardeaOptions, Place } from './place.ts';
import { compare, type Figure, type Pace } from './rounds.ts';

/** One line of the report: ours, the reference's from the same run, and what is between them. */
export interface Row {
  bench: string;
  /** Which store and how many processes. */
  mode: string;
  unit: '/s' | 'ms' | 'MB';
  ours: number;
  reference?: number;
  /** Ours by the reference's. */
  ratio?: number;
  /** The bare node:http server's, under the same load. */
  ceiling?: number;
  /** Milliseconds for a request. */
  p50?: number;
  p99?: number;
  referenceP50?: number;
  referenceP99?: number;
  /** Processor milliseconds for a step. */
  processor?: number;
  referenceProcessor?: number;
  goal?: { wanted: string; met: boolean };
  /** What a reader should know. */
  note?: string;
  failures: number;
  /** Of each round. */
  rounds?: { ours: number[]; reference: number[] };
}

export interface Context {
  place: Place;
  pace: Pace;
  /** The stores and numbers of processes to measure; the first is the one with goals. */
  modes: CardeaOptions[];
  connections: number;
  quick: boolean;
  progress(what: string): void;
}

export interface Bench {
  /** One sentence. */
  about: string;
  run(context: Context): Promise<Row[]>;
}

export const goalMode: CardeaOptions = { store: 'redis', processes: 1 };
export const isGoalMode = ({ store, processes = 1 }: CardeaOptions) => store === 'redis' && processes === 1;

type Prepare = Parameters<typeof compare>[1];

/**
 * A benchmark of so many a second, beside the plain engine and the ceiling.
 * @param options.goal the least ratio to the reference
 * @param options.prepare makes the load for a target; the ceiling gets what is made for the reference
 * @param options.note what a reader should know
 */
export async function throughput(
  context: Context,
  options: { name: string; goal?: number; note?: string; prepare: Prepare; connections?: number; ceiling?: boolean },
): Promise<Row[]> {
  const { place, pace, modes, progress } = context;
  const { name, goal, note, ceiling: withCeiling = true } = options;
  progress(name);
  const ours = await Promise.all(modes.map((mode) => place.cardea(mode)));
  const reference = await place.reference();
  const ceiling = withCeiling ? [await place.ceiling()] : [];
  const prepare: Prepare = async (target, round) => {
    const load = await options.prepare(target.kind === 'ceiling' ? reference : target, round);
    return target.kind === 'ceiling' ? plain(load) : load;
  };
  const figures = await compare([...ours, reference, ...ceiling], prepare, pace);
  const [other, top] = figures.slice(ours.length) as [Figure, Figure | undefined];
  return figures.slice(0, ours.length).map((figure, index) => ({
    ...besides(name, figure, other, top),
    ...(note && { note }),
    ...(goal &&
      isGoalMode(modes[index]!) && { goal: { wanted: `≥ × ${goal}`, met: figure.rate / other.rate >= goal } }),
  }));
}

const besides = (bench: string, ours: Figure, reference: Figure, ceiling: Figure | undefined): Row => ({
  bench,
  mode: ours.target.name,
  unit: '/s',
  ours: ours.rate,
  reference: reference.rate,
  ratio: ours.rate / reference.rate,
  ...(ceiling && { ceiling: ceiling.rate }),
  p50: ours.p50,
  p99: ours.p99,
  referenceP50: reference.p50,
  referenceP99: reference.p99,
  ...(ours.processor !== undefined && { processor: ours.processor }),
  ...(reference.processor !== undefined && { referenceProcessor: reference.processor }),
  failures: ours.failures + reference.failures,
  rounds: { ours: ours.rates, reference: reference.rates },
});

/** The same requests without asking for an answer that only a server of ours can give. */
function plain(load: Awaited<ReturnType<Prepare>>): Awaited<ReturnType<Prepare>> {
  const steps = load.steps.map((step) => {
    if (step.kind !== 'fixed') return { kind: 'fixed' as const, method: 'POST' as const, path: '/token', body: 'x' };
    const { marker: _, ...request } = step;
    return request;
  });
  return { connections: load.connections, steps };
}
