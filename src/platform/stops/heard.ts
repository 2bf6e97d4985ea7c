/** One entry of the journal: what was stopped, or that the stop is over. */
export interface Entry {
  /** The number of the stop; of several with one number all but the last were rolled back. */
  n: number;
  /** Empty when the entry only says that the stop has been committed. */
  names: readonly string[];
  isCommitted: boolean;
}

interface Record {
  n: number;
  heardAt: number;
  /** When it was heard that the stop is over; until then nothing loaded is known to have seen it. */
  overAt: number;
}

/**
 * A name is remembered for so long: longer than anything loaded under it is, and than a stop may take from its entry to
 * its commit, should nobody tell of its end.
 */
const keptMilliseconds = 60_000;

/** More than these, and everything is in doubt: a memory that strangers' deeds fill must have an end. */
const most = 200_000;

/** What was heard of stops, held against what was loaded before. */
export function createHeard() {
  /** In the order in which they were heard of last. */
  const records = new Map<string, Record>();
  /** Stops that may not be committed yet. They are told one by one, so an entry says that those before it are over. */
  let open: { n: number; names: readonly string[] }[] = [];
  let allUntil = 0;

  const forgetOld = (now: number) => {
    for (const [name, { heardAt }] of records) {
      if (heardAt + keptMilliseconds > now) break;
      records.delete(name);
    }
  };

  const close = (isOver: (n: number) => boolean, now: number) => {
    for (const { n, names } of open.filter((stop) => isOver(stop.n))) {
      for (const name of names) {
        const record = records.get(name);
        if (record?.n === n) record.overAt = now;
      }
    }
    open = open.filter((stop) => !isOver(stop.n));
  };

  return {
    add({ n, names, isCommitted }: Entry): void {
      const now = performance.now();
      if (names.length === 0) {
        close((other) => other === n, now);
        return;
      }
      close((other) => other <= n, now);
      forgetOld(now);
      if (records.size + names.length > most) {
        records.clear();
        open = [];
        allUntil = now + keptMilliseconds;
        return;
      }
      const overAt = isCommitted ? now : Number.POSITIVE_INFINITY;
      for (const name of names) {
        const before = records.get(name);
        // The slower journal tells again what is known.
        if (isCommitted && before && before.n > n) continue;
        if (isCommitted && before?.n === n && before.overAt < now) continue;
        records.delete(name);
        records.set(name, { n, heardAt: now, overAt });
      }
      if (!isCommitted) open.push({ n, names });
    },

    /** Whether what was loaded then under these names has seen every stop that was heard of. */
    mayUse(loadedAt: number, names: readonly string[]): boolean {
      if (allUntil > 0 && allUntil > performance.now()) return false;
      if (records.size === 0) return true;
      return names.every((name) => {
        const record = records.get(name);
        return !record || loadedAt > record.overAt || record.heardAt + keptMilliseconds < performance.now();
      });
    },
    size: (): number => records.size,
  };
}
