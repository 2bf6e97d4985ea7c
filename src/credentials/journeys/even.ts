import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Does the work and answers, with its result or its refusal, no sooner than after so many milliseconds. For what
 * must take as long for an address that is known as for one that is not, although different rows are written.
 */
export async function evenly<T>(milliseconds: number, work: () => Promise<T>): Promise<T> {
  const [outcome] = await Promise.allSettled([work(), sleep(milliseconds)]);
  if (outcome.status === 'rejected') throw outcome.reason;
  return outcome.value;
}
