import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * Asks for many in one question: whoever asks in one turn of the event loop shares it. Under load that is one round trip
 * for several requests, and never an older answer than each would have had by itself. It is asked on behalf of none of
 * them: in nobody's transaction.
 * @param load answers for distinct keys; a key that it leaves out is not there
 */
export function together<T>(load: (keys: string[]) => Promise<ReadonlyMap<string, T>>) {
  const onNobodysBehalf = AsyncLocalStorage.snapshot();
  let waiting: Set<string> | undefined;
  let answer: Promise<ReadonlyMap<string, T>>;

  return async (key: string): Promise<T | undefined> => {
    if (!waiting) {
      const keys = new Set<string>();
      waiting = keys;
      answer = new Promise((resolve, reject) => {
        setImmediate(() => {
          waiting = undefined;
          onNobodysBehalf(() => load([...keys])).then(resolve, reject);
        });
      });
    }
    waiting.add(key);
    return (await answer).get(key);
  };
}
