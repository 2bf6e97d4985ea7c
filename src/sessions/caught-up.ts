import { Provider } from 'oidc-provider';
import type { Stops } from '../platform/index.ts';
import type { KeyValue, Stored } from '../platform/kv/index.ts';

/** What a token, or the code for one, hangs on. */
export interface Origin {
  clientId: string;
  grantId?: string;
}

/**
 * The engine's requests that have heard of everything that was stopped before they began: what they ask for after that
 * may come from memory. A request hears when it looks for what it was sent (a token, a code, the cookie of a session), in
 * that same round trip.
 */
export interface CaughtUp {
  /** Reads a value; of a request of the engine's together with the newest stop. */
  get(key: string): Promise<string | undefined>;
  /** The same of a value that may have been used. */
  read(key: string): Promise<Stored | undefined>;
  /** Hears while something is read. */
  during<T>(read: () => Promise<T>): Promise<T>;
  /** Whether the request at hand has heard. */
  has(): boolean;
  /** The request at hand changes what others remember: from here on it asks the database. */
  forget(): void;
  /** Notes what it hangs on by which the request at hand came. */
  note(origin: { clientId?: string; grantId?: string } | undefined): void;
  origin(): Origin | undefined;
}

export function createCaughtUp(stops: Stops, kv: KeyValue): CaughtUp {
  const requests = new WeakMap<object, { origin?: Origin }>();
  const current = () => Provider.ctx && requests.get(Provider.ctx);
  const caughtUp: CaughtUp = {
    async get(key) {
      const request = Provider.ctx;
      if (!request) return kv.get(key);
      const [value] = await stops.catchUp([key]);
      requests.set(request, {});
      return value;
    },
    async read(key) {
      const request = Provider.ctx;
      if (!request || !kv.readBy) return caughtUp.during(() => kv.read(key));
      const stored = await kv.readBy(stops.catchUp, key);
      requests.set(request, {});
      return stored;
    },
    async during(read) {
      const request = Provider.ctx;
      if (!request) return read();
      // What was read is true also when nothing could be heard.
      const [value] = await Promise.all([read(), stops.catchUp().catch(() => {})]);
      requests.set(request, {});
      return value;
    },
    has: () => current() !== undefined,
    forget() {
      if (Provider.ctx) requests.delete(Provider.ctx);
    },
    note(origin) {
      const request = current();
      if (request && origin?.clientId !== undefined) request.origin = origin as Origin;
    },
    origin: () => current()?.origin,
  };
  return caughtUp;
}
