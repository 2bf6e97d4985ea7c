import { sha256, type Vault } from '../platform/index.ts';
import type { KeyValue } from '../platform/kv/index.ts';

/**
 * Values of other rooms that live for a while and may be lost (a loss costs a new try): sign-in attempts, answers kept
 * for a retry. `kind` keeps the rooms apart. Ids are kept by hash, values sealed under CARDEA_SECRET; they are JSON.
 */
export interface Fleeting {
  /** Writes or overwrites. */
  put(kind: string, id: string, value: unknown, seconds: number): Promise<void>;
  /** Writes unless there is one. @returns whether it wrote: of many at once exactly one does */
  add(kind: string, id: string, value: unknown, seconds: number): Promise<boolean>;
  get<T>(kind: string, id: string): Promise<T | undefined>;
  /** Reads and removes: of many at once exactly one gets the value. */
  take<T>(kind: string, id: string): Promise<T | undefined>;
  remove(kind: string, id: string): Promise<void>;
}

export function createFleeting({ kv, vault }: { kv: KeyValue; vault: Vault }): Fleeting {
  const keyOf = (kind: string, id: string) => `${kind}:${sha256(id)}`;
  const seal = (key: string, value: unknown) => vault.seal(JSON.stringify(value), key);
  const open = (key: string, sealed: string | undefined) =>
    sealed === undefined ? undefined : JSON.parse(vault.open(sealed, key));

  return {
    put: (kind, id, value, seconds) => kv.put(keyOf(kind, id), seal(keyOf(kind, id), value), seconds),
    add: (kind, id, value, seconds) => kv.add(keyOf(kind, id), seal(keyOf(kind, id), value), seconds),
    get: async (kind, id) => open(keyOf(kind, id), await kv.get(keyOf(kind, id))),
    take: async (kind, id) => open(keyOf(kind, id), await kv.take(keyOf(kind, id))),
    remove: (kind, id) => kv.remove(keyOf(kind, id)),
  };
}
