/** What was worked on, and for how long. Names and attributes hold no personal data, no tokens and no keys of values. */
export interface Tracer {
  /** @param options.root begins a trace of its own when none is open; else work outside of a trace is not told */
  span<T>(name: string, options: SpanOptions, work: () => Promise<T>): Promise<T>;
}

export interface SpanOptions {
  kind?: 'client' | 'consumer' | 'internal';
  attributes?: Record<string, string | number>;
  root?: boolean;
}

// The one thing here that is not handed in: what is traced lies across all rooms, and nearly nobody traces.
let tracer: Tracer | undefined;

/** From now on spans go there. */
export const traceTo = (chosen: Tracer | undefined): void => {
  tracer = chosen;
};

export const isTracing = (): boolean => tracer !== undefined;

/** Does the work, as a part of the open trace when traces are kept. */
export const inSpan = <T>(name: string, options: SpanOptions, work: () => Promise<T>): Promise<T> =>
  tracer ? tracer.span(name, options, work) : work();
