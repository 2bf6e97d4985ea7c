import { type Adapter, errors, Provider } from 'oidc-provider';
import { Refusal } from '../platform/index.ts';

const retryAfterSeconds = 2;

/**
 * The store is out of reach, in the engine's words: HTTP 503 `temporarily_unavailable`, or that error at the
 * application's redirect URI (RFC 6749, section 4.1.2.1). Never `invalid_grant`: clients throw tokens away on that.
 */
export class StoreUnavailable extends errors.OIDCProviderError {
  constructor(cause: unknown) {
    super(503, 'temporarily_unavailable', { cause, detail: 'store unavailable' });
    this.error_description = 'the service cannot answer just now, try again in a moment';
    this.expose = true;
    // The engine's errors carry no headers; the answer under way does.
    Provider.ctx?.set('retry-after', String(retryAfterSeconds));
  }
}

const methods = ['upsert', 'find', 'findByUid', 'findByUserCode', 'consume', 'destroy', 'revokeByGrantId'] as const;

/** The adapter, with a store out of reach told in the engine's words. */
export function tellUnavailable(adapter: Adapter): Adapter {
  const told = {} as Record<string, unknown>;
  for (const method of methods) {
    const work = adapter[method] as (...args: unknown[]) => Promise<unknown>;
    told[method] = async (...args: unknown[]) => {
      try {
        return await work.apply(adapter, args);
      } catch (error) {
        throw error instanceof Refusal && error.kind === 'unavailable' ? new StoreUnavailable(error) : error;
      }
    };
  }
  return told as unknown as Adapter;
}
