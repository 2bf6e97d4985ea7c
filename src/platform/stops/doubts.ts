/**
 * Longer than anything is remembered (so what was loaded before the stop has aged out by then) and than a stop may take
 * from its entry to its commit (so what is loaded afterwards has seen it).
 */
export const doubtMilliseconds = 60_000;

/** More than these, and everything is in doubt: a memory that strangers' deeds fill must have an end. */
const most = 200_000;

/** Names about which what was remembered must not be believed for a while. */
export function createDoubts() {
  /** Name → until when, in the order in which they were heard of last. */
  const until = new Map<string, number>();
  let allUntil = 0;

  const forgetOld = (now: number) => {
    for (const [name, end] of until) {
      if (end > now) break;
      until.delete(name);
    }
  };

  return {
    add(names: readonly string[]): void {
      const now = performance.now();
      forgetOld(now);
      const end = now + doubtMilliseconds;
      if (until.size + names.length > most) {
        until.clear();
        allUntil = end;
        return;
      }
      for (const name of names) {
        until.delete(name);
        until.set(name, end);
      }
    },
    hasAny(names: readonly string[]): boolean {
      if (allUntil > 0 && allUntil > performance.now()) return true;
      if (until.size === 0) return false;
      return names.some((name) => (until.get(name) ?? 0) > performance.now());
    },
    size: (): number => until.size,
  };
}
