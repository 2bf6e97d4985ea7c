/** One of the values a directory keeps of an attribute, as e-mail addresses. */
interface Kept {
  primary?: unknown;
  type?: unknown;
}

/**
 * Which value of a directory's list is the account's own: the primary one, else the first of the kind that is meant,
 * else the first. Nothing has to be marked: who says of every value that it is not the primary one is taken at their word.
 * @returns -1 when the list is empty
 */
export function ownValueAt(list: readonly Kept[], kind?: string): number {
  const primary = list.findIndex((element) => element.primary === true);
  if (primary >= 0) return primary;
  const meant = kind === undefined ? -1 : list.findIndex(({ type }) => String(type).toLowerCase() === kind);
  return Math.max(meant, Math.min(0, list.length - 1));
}

/** The kind of address that is the account's own. */
export const ownEmailKind = 'work';
