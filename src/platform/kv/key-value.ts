export interface Stored {
  value: string;
  /** When {@link KeyValue.use} was won, in seconds since the epoch. */
  usedAt: number | undefined;
}

/**
 * The contract of both stores. Each operation is one atomic step; none is a check followed by an act.
 * @throws Refusal `store.unavailable` from each when the store cannot be reached
 */
export interface KeyValue {
  /** Writes or overwrites; a value that was used stays used. @param seconds to live; nothing is kept for 0 or less */
  put(key: string, value: string, seconds: number): Promise<void>;
  /** Writes unless a live value is there. @returns whether it wrote: of many at once exactly one does */
  add(key: string, value: string, seconds: number): Promise<boolean>;
  get(key: string): Promise<string | undefined>;
  /** As `get`, with whether the value was used. */
  read(key: string): Promise<Stored | undefined>;
  /**
   * The same by way of somebody who reads values along with something else; where whether it was used is a value as well.
   * @param values reads them by their keys
   */
  readBy?(values: (keys: string[]) => Promise<(string | undefined)[]>, key: string): Promise<Stored | undefined>;
  /** Marks a live value as used and keeps it. @returns true for the first caller, false for all others */
  use(key: string): Promise<boolean>;
  /** Reads and removes: of many at once exactly one gets the value. */
  take(key: string): Promise<string | undefined>;
  remove(key: string): Promise<void>;
  /** Deletes what expired. @returns how many; Redis does this by itself and says 0 */
  cleanUp(): Promise<number>;
}
