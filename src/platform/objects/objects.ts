import { Refusal } from '../refusal.ts';

/**
 * A store of objects by name. One process's `put` is every process's `get`. Whatever implements it runs the suite of
 * `test/contracts/objects.ts`.
 */
export interface Objects {
  /**
   * Keeps it whole or not at all, in place of what had the name before.
   * @param name letters, digits, `.`, `_`, `-` and `/` between parts
   * @param type media type, for whoever looks into the store
   * @throws Refusal `store.unavailable` (unavailable)
   */
  put(name: string, body: Uint8Array, type: string): Promise<void>;
  /** @throws Refusal `store.unavailable` (unavailable) */
  get(name: string): Promise<Uint8Array | undefined>;
  /** Also when there is none. @throws Refusal `store.unavailable` (unavailable) */
  remove(name: string): Promise<void>;
}

const part = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/;

/** Names are made by us; one that is not of this shape is a bug, and must not reach a file system. */
export function checkedName(name: string): string {
  if (!name.split('/').every((each) => part.test(each))) throw new Error(`${JSON.stringify(name)} names no object`);
  return name;
}

export const unavailable = (cause: unknown): Refusal =>
  new Refusal('store.unavailable', { kind: 'unavailable', retryAfter: 5, cause });
