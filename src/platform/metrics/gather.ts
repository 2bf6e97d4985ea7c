import cluster, { type Worker } from 'node:cluster';
import { AggregatorRegistry } from 'prom-client';
import type { Figures, Metrics } from './metrics.ts';

const question = 'cardea:figures?';
const answer = 'cardea:figures';
const patienceMilliseconds = 3_000;

interface Message {
  type?: string;
  turn?: number;
  figures?: Figures;
}

/** In a worker: tells the first process the figures whenever it asks. */
export function answerGatherer(metrics: Metrics): void {
  process.on('message', ({ type, turn }: Message) => {
    if (type !== question) return;
    metrics.figures().then(
      (figures) => process.connected && process.send!({ type: answer, turn, figures }),
      () => undefined,
    );
  });
}

/**
 * In the first process: asks every worker and makes one answer of theirs. A worker that does not answer in time stands with
 * what it said last, and what one that ended had counted is kept: else a sum would fall, which Prometheus takes for a
 * restart, and the rates would show a peak that never was.
 */
export function gatherFromWorkers(): () => Promise<string> {
  const last = new Map<number, Figures>();
  const waiting = new Map<string, () => void>();
  let ended: Promise<Figures> = Promise.resolve([]);
  let turns = 0;

  cluster.on('message', (worker: Worker, { type, turn, figures }: Message) => {
    if (type !== answer || !figures) return;
    last.set(worker.id, figures);
    waiting.get(`${turn}:${worker.id}`)?.();
  });
  cluster.on('exit', (worker: Worker) => {
    const counted = (last.get(worker.id) ?? []).filter(isCounted);
    last.delete(worker.id);
    ended = ended.then((before) => aggregate([before, counted]).getMetricsAsJSON());
  });

  const ask = (worker: Worker, turn: number) =>
    new Promise<void>((resolve) => {
      const key = `${turn}:${worker.id}`;
      const done = () => {
        clearTimeout(timer);
        waiting.delete(key);
        resolve();
      };
      const timer = setTimeout(done, patienceMilliseconds).unref();
      waiting.set(key, done);
      worker.send({ type: question, turn }, (error) => error && done());
    });

  return async () => {
    const turn = ++turns;
    const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker?.isConnected()) as Worker[];
    await Promise.all(workers.map((worker) => ask(worker, turn)));
    return aggregate([...last.values(), await ended]).metrics();
  };
}

const aggregate = (figures: Figures[]) => AggregatorRegistry.aggregate(figures);

/** Its types say a number, its code a name. */
const isCounted = ({ type }: Figures[number]): boolean => ['counter', 'histogram'].includes(String(type));
