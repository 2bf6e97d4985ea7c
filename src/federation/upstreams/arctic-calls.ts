import { AsyncLocalStorage } from 'node:async_hooks';
import type { Call } from '../../platform/outbound.ts';

const inForce = new AsyncLocalStorage<Call>();
let replaced = false;

/**
 * arctic calls the global `fetch`, which waits for ever, follows redirects, goes anywhere and reads answers of any size.
 * Within `work`, and nowhere else, that is our own bounded call.
 */
export function calling<T>(call: Call, work: () => Promise<T>): Promise<T> {
  if (!replaced) {
    replaced = true;
    const plain = globalThis.fetch;
    globalThis.fetch = (input, init) => {
      const bounded = inForce.getStore();
      // A bounded call ends at the plain one, outside of this.
      return bounded ? inForce.exit(() => bounded(input, init)) : plain(input, init);
    };
  }
  return inForce.run(call, work);
}
