import { Provider } from 'oidc-provider';
import type { Stops } from '../platform/index.ts';

/**
 * The engine's requests that have heard of everything that was stopped before they began: what they ask for after that
 * may come from memory. A request hears when it looks for the access token it was sent, in that same round trip.
 */
export interface CaughtUp {
  /** Reads an access token; of a request of the engine's together with the newest stop. */
  get(key: string): Promise<string | undefined>;
  /** Whether the request at hand has heard. */
  has(): boolean;
  /** What the access token hangs on by which the request at hand heard. */
  token(): { clientId: string; grantId?: string } | undefined;
}

export function createCaughtUp(stops: Stops, get: (key: string) => Promise<string | undefined>): CaughtUp {
  const requests = new WeakMap<object, string | undefined>();
  const has = () => Provider.ctx !== undefined && requests.has(Provider.ctx);
  return {
    async get(key) {
      const request = Provider.ctx;
      if (!request) return get(key);
      const [value] = await stops.catchUp([key]);
      requests.set(request, value);
      return value;
    },
    has,
    token() {
      const value = has() ? requests.get(Provider.ctx!) : undefined;
      return value === undefined ? undefined : JSON.parse(value);
    },
  };
}
