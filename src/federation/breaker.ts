import { type Clock, Refusal } from '../platform/index.ts';

/**
 * Keeps a provider that does not answer from holding our pages: after several failures in a row nobody waits for it any
 * more for a while, and no more than so many wait for it at once. Each process finds out for itself.
 */
export function createBreaker({
  clock,
  failures = 5,
  seconds = 30,
  most = 100,
}: {
  clock: Clock;
  failures?: number;
  seconds?: number;
  most?: number;
}) {
  const circuits = new Map<string, { failed: number; until: number; waiting: number }>();
  const unreachable = (cause?: unknown) => new Refusal('federation.unreachable', { kind: 'unavailable', cause });

  /** @throws Refusal `federation.unreachable` (unavailable) */
  return async function attempt<T>(
    name: string,
    work: () => Promise<T>,
    isUnreachable: (error: unknown) => boolean,
  ): Promise<T> {
    const circuit = circuits.get(name) ?? { failed: 0, until: 0, waiting: 0 };
    circuits.set(name, circuit);
    const now = clock.now().getTime();
    if (circuit.waiting >= most || now < circuit.until) throw unreachable();
    circuit.waiting++;
    try {
      const result = await work();
      circuit.failed = 0;
      return result;
    } catch (error) {
      if (!isUnreachable(error)) {
        circuit.failed = 0;
        throw error;
      }
      // When the pause is over the next one tries; failing, it starts the pause anew.
      if (++circuit.failed >= failures) circuit.until = clock.now().getTime() + seconds * 1000;
      throw unreachable(error);
    } finally {
      circuit.waiting--;
    }
  };
}
