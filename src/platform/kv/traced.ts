import { inSpan, isTracing } from '../spans.ts';
import type { KeyValue } from './key-value.ts';

/** A span for each operation, by its name: keys are hashes of tokens, and values what they stand for. */
export function traced(store: KeyValue, system: string): KeyValue {
  if (!isTracing()) return store;
  const operations = Object.entries(store) as [string, (...args: unknown[]) => Promise<unknown>][];
  const spans = operations.map(([name, operation]) => {
    const attributes = { 'db.system.name': system, 'db.operation.name': name };
    const options = { kind: 'client', attributes } as const;
    return [name, (...args: unknown[]) => inSpan(`${system} ${name}`, options, () => operation(...args))];
  });
  return Object.fromEntries(spans) as KeyValue;
}
