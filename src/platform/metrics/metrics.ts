import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export type Labels = Readonly<Record<string, string>>;

/** One value, or one for each combination of labels. */
export type Reading = number | undefined | readonly (readonly [labels: Labels, value: number])[];

/** A process's figures as they are handed to another process. */
export type Figures = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

export interface Metrics {
  /** What happened, counted as it happens. Its name ends in `_total`. */
  counter(name: string, help: string, labels?: readonly string[]): (labels?: Labels, by?: number) => void;
  /** What somebody else counts already, read at each scrape; must never go down. Its name ends in `_total`. */
  tally(name: string, help: string, labels: readonly string[], read: () => Reading): void;
  /** How long something took. @param buckets in seconds, as what it observes */
  histogram(
    name: string,
    help: string,
    buckets: readonly number[],
    labels?: readonly string[],
  ): (seconds: number, labels?: Labels) => void;
  /**
   * How things stand, read at each scrape.
   * @param over how several processes of one installation make one figure: `sum` of what each has of its own, `max` of what
   *   all see alike
   */
  gauge(
    name: string,
    help: string,
    labels: readonly string[],
    over: 'sum' | 'max' | 'min',
    read: () => Reading | Promise<Reading>,
  ): void;
  /** Everything in Prometheus' text format. */
  scrape(): Promise<string>;
  figures(): Promise<Figures>;
}

const prefix = 'cardea_';
/** More different values than this, or one that is no name of ours, and a label would be a way to fill the memory. */
const mostValues = 100;
const isName = /^[\w:+./-]{1,80}$/;

/** This process's registry, with the figures of Node itself in it; nothing is global. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  return {
    counter(name, help, labelNames = []) {
      const counter = new Counter({ name: prefix + name, help, labelNames, registers });
      const bounded = boundedLabels();
      return (labels = {}, by = 1) => counter.inc(bounded(labels), by);
    },

    tally(name, help, labelNames, read) {
      const bounded = boundedLabels();
      new Counter({
        name: prefix + name,
        help,
        labelNames,
        registers,
        collect() {
          this.reset();
          for (const [labels, value] of readings(read())) this.inc(bounded(labels), value);
        },
      });
    },

    histogram(name, help, buckets, labelNames = []) {
      const histogram = new Histogram({ name: prefix + name, help, labelNames, buckets: [...buckets], registers });
      const bounded = boundedLabels();
      return (seconds, labels = {}) => histogram.observe(bounded(labels), seconds);
    },

    gauge(name, help, labelNames, over, read) {
      const bounded = boundedLabels();
      new Gauge({
        name: prefix + name,
        help,
        labelNames,
        registers,
        aggregator: over,
        async collect() {
          const found = readings(await read());
          this.reset();
          // Without labels a reset says 0, and what is not known is not 0.
          this.remove({});
          for (const [labels, value] of found) this.set(bounded(labels), value);
        },
      });
    },

    scrape: () => registry.metrics(),
    figures: () => registry.getMetricsAsJSON(),
  };
}

const readings = (reading: Reading): readonly (readonly [Labels, number])[] => {
  if (reading === undefined) return [];
  return typeof reading === 'number' ? [[{}, reading]] : reading;
};

function boundedLabels(): (labels: Labels) => Record<string, string> {
  const known = new Map<string, Set<string>>();
  const admitted = (name: string, value: string) => {
    const values = known.get(name) ?? new Set();
    known.set(name, values);
    if (values.has(value)) return value;
    if (values.size >= mostValues || !isName.test(value)) return 'other';
    values.add(value);
    return value;
  };
  return (labels) => Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, admitted(name, value)]));
}
