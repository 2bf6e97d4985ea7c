import { Refusal } from '../platform/index.ts';
import { StoreUnavailable } from '../sessions/index.ts';

const translated = (error: unknown): unknown =>
  error instanceof Refusal && error.kind === 'unavailable' ? new StoreUnavailable(error) : error;

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

/** The same for every method of an object. */
export function allForEngine<T extends object>(object: T): T {
  const made = new Map<PropertyKey, { of: unknown; told: unknown }>();
  return new Proxy(object, {
    get(target, name, receiver) {
      const value = Reflect.get(target, name, receiver);
      if (typeof value !== 'function') return value;
      let known = made.get(name);
      if (known?.of !== value) {
        known = { of: value, told: forEngine(value.bind(target)) };
        made.set(name, known);
      }
      return known!.told;
    },
  });
}
