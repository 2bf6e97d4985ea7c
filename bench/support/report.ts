import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import type { Row } from './bench.ts';
import { hasWrk } from './wrk.ts';

/** The machine as it was when the run began. */
export function machine() {
  const [model] = cpus();
  return {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    processor: model?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    generator: hasWrk() ? 'wrk, autocannon' : 'autocannon',
    loadAtStart: loadavg().map((value) => Math.round(value * 100) / 100),
    at: new Date().toISOString(),
  };
}

const number = (value: number | undefined, digits = value !== undefined && value < 10 ? 2 : value! < 100 ? 1 : 0) =>
  value === undefined || Number.isNaN(value)
    ? ''
    : value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });

const columns: [string, (row: Row) => string][] = [
  ['benchmark', ({ bench }) => bench],
  ['store', ({ mode }) => mode],
  ['ours', ({ ours, unit }) => `${number(ours)} ${unit}`],
  ['reference', ({ reference, unit }) => (reference === undefined ? '' : `${number(reference)} ${unit}`)],
  ['ratio', ({ ratio }) => (ratio === undefined ? '' : `× ${number(ratio, 2)}`)],
  ['goal', ({ goal }) => (goal ? `${goal.wanted} ${goal.met ? 'met' : 'MISSED'}` : '')],
  ['p50 / p99 ms', ({ p50, p99 }) => (p50 === undefined ? '' : `${number(p50)} / ${number(p99)}`)],
  [
    'reference’s',
    ({ referenceP50, referenceP99 }) =>
      referenceP50 === undefined ? '' : `${number(referenceP50)} / ${number(referenceP99)}`,
  ],
  [
    'processor ms',
    ({ processor, referenceProcessor }) =>
      processor === undefined
        ? ''
        : `${number(processor, 3)}${referenceProcessor === undefined ? '' : ` / ${number(referenceProcessor, 3)}`}`,
  ],
  ['ceiling', ({ ceiling, unit }) => (ceiling === undefined ? '' : `${number(ceiling)} ${unit}`)],
];

/** A Markdown table, so that it may stand in a document as it is. */
export function table(rows: Row[]): string {
  const cells = [columns.map(([name]) => name), ...rows.map((row) => columns.map(([, of]) => of(row)))];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => line[index]!.length)));
  const line = (values: string[]) => `| ${values.map((value, index) => value.padEnd(widths[index]!)).join(' | ')} |`;
  const [head, ...body] = cells as [string[], ...string[][]];
  const notes = [...new Set(rows.flatMap(({ bench, note }) => (note ? [`${bench}: ${note}`] : [])))];
  return [
    line(head),
    `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`,
    ...body.map(line),
    '',
    'Reference: the plain engine on its memory store, one process. Processor: milliseconds of processor time for a step, ours / its.',
    ...notes,
  ].join('\n');
}
