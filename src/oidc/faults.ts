import { Refusal } from '../platform/index.ts';
import { StoreUnavailable } from '../sessions/index.ts';
import { TooMany } from './too-many.ts';

function translated(error: unknown): unknown {
  if (!(error instanceof Refusal)) return error;
  if (error.kind === 'unavailable') return new StoreUnavailable(error);
  return error.kind === 'limited' ? new TooMany(error) : error;
}

/** Lets the engine call our function and meet only errors that it knows how to answer with. */
export function forEngine<Args extends unknown[], T>(
  work: (...args: Args) => Promise<T>,
): (...args: Args) => Promise<T> {
  return async (...args) => {
    try {
      return await work(...args);
    } catch (error) {
      throw translated(error);
    }
  };
}

/** The same for every method of an object, as it is now. */
export function allForEngine<T extends object>(object: T): T {
  const told = Object.entries(object).map(([name, member]) => [
    name,
    typeof member === 'function' ? forEngine(member.bind(object)) : member,
  ]);
  return Object.fromEntries(told) as T;
}
