/** A scrape, read as Prometheus reads it. */
export interface Scrape {
  text: string;
  /** Every name a query may use, with those of a histogram's series, and the labels each was seen with. */
  names: Map<string, Set<string>>;
  /** All values of all labels. */
  labelValues: Set<string>;
  /** The sum of the series that have these labels; 0 when there is none. */
  value(name: string, labels?: Record<string, string>): number;
}

/** @param at the port's address, as http://127.0.0.1:9464 */
export async function scrape(at: string): Promise<Scrape> {
  const response = await fetch(`${at}/metrics`);
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${response.status}: ${text}`);
  const names = new Map<string, Set<string>>();
  const series: { name: string; labels: Record<string, string>; value: number }[] = [];
  for (const line of text.split('\n')) {
    const declared = /^# TYPE (\S+) /.exec(line)?.[1];
    if (declared && !names.has(declared)) names.set(declared, new Set());
    if (line === '' || line.startsWith('#')) continue;
    const [, name, inside = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (!name) throw new Error(`no line of the format: ${line}`);
    const labels = Object.fromEntries(
      [...inside.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, of]) => [key!, of!]),
    );
    const known = names.get(name) ?? new Set();
    for (const label of Object.keys(labels)) known.add(label);
    names.set(name, known);
    series.push({ name, labels, value: Number(value) });
  }
  return {
    text,
    names,
    labelValues: new Set(series.flatMap(({ labels }) => Object.values(labels))),
    value: (name, wanted = {}) =>
      series
        .filter((one) => one.name === name && Object.entries(wanted).every(([key, value]) => one.labels[key] === value))
        .reduce((sum, one) => sum + one.value, 0),
  };
}
