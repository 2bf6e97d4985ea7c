import { Refusal, sha256, type Vault } from '../platform/index.ts';
import type { Caller } from './bearer.ts';

/** The pages of one list, as one caller walks through it. */
export interface Pages {
  /** Where the page before ended. @throws Refusal `cursor.invalid` (invalid): not ours, of another question or caller */
  after<Position>(cursor: string | undefined): Position | undefined;
  write(position: unknown): string;
  /**
   * A page as it goes out.
   * @param rows one more than `limit` when there is another page
   * @param placeOf where the next page begins behind this row
   */
  page<Row, Item>(
    rows: readonly Row[],
    limit: number,
    show: (row: Row) => Item,
    placeOf: (row: Row) => unknown,
  ): { items: Item[]; next: string | null };
}

/**
 * Where a page ended, sealed: it holds a name or an address, it belongs to one question of one caller, and nobody writes
 * their own.
 */
export function createCursors({ vault }: { vault: Vault }) {
  return ({ clientId, accountId }: Pick<Caller, 'clientId' | 'accountId'>, question: unknown): Pages => {
    const context = `api.cursor:${sha256(JSON.stringify([clientId, accountId ?? null, question]))}`;
    const write = (position: unknown) => vault.seal(JSON.stringify(position), context);
    return {
      write,
      after<Position>(cursor: string | undefined): Position | undefined {
        if (cursor === undefined) return undefined;
        try {
          return JSON.parse(vault.open(cursor, context)) as Position;
        } catch (cause) {
          throw new Refusal('cursor.invalid', { kind: 'invalid', cause });
        }
      },
      page(rows, limit, show, placeOf) {
        const shown = rows.slice(0, limit);
        return { items: shown.map(show), next: rows.length > limit ? write(placeOf(shown.at(-1)!)) : null };
      },
    };
  };
}

export type Cursors = ReturnType<typeof createCursors>;
