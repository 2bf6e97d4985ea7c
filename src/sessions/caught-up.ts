import { Provider } from 'oidc-provider';
import type { Stops } from '../platform/index.ts';

/**
 * The engine's requests that have heard of everything that was stopped before they began: what they ask for after that
 * may come from memory. A request hears when it looks for the access token it was sent, in that same round trip.
 */
export interface CaughtUp {
  /** Reads a fleeting value; of a request of the engine's together with the newest stop. */
  get(key: string): Promise<string | undefined>;
  /** Whether the request at hand has heard. */
  has(): boolean;
}

export function createCaughtUp(stops: Stops, get: (key: string) => Promise<string | undefined>): CaughtUp {
  const requests = new WeakSet<object>();
  return {
    async get(key) {
      const request = Provider.ctx;
      if (!request) return get(key);
      const [value] = await stops.catchUp([key]);
      requests.add(request);
      return value;
    },
    has: () => {
      const request = Provider.ctx;
      return request !== undefined && requests.has(request);
    },
  };
}
