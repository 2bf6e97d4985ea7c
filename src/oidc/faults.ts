import { errors } from 'oidc-provider';
import { Refusal } from '../platform/index.ts';

/**
 * A store out of reach: 503, so that clients keep their refresh tokens and try again. Anything that sounds like
 * `invalid_grant` would make them throw good tokens away.
 */
export class StoreUnavailable extends errors.OIDCProviderError {
  override error_description = 'the server cannot answer just now, try again';

  constructor(cause: unknown) {
    super(503, 'temporarily_unavailable');
    this.cause = cause;
    // The engine shows what it may expose and hides the rest behind `server_error`.
    this.expose = true;
  }
}

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
  return new Proxy(object, {
    get(target, name, receiver) {
      const value = Reflect.get(target, name, receiver);
      return typeof value === 'function' ? forEngine(value.bind(target)) : value;
    },
  });
}
