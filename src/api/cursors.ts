import { Refusal, sha256, type Vault } from '../platform/index.ts';

/**
 * Where a page ended, sealed: it holds a name or an address, it belongs to one question, and nobody writes their own.
 */
export function createCursors({ vault }: { vault: Vault }) {
  const contextOf = (question: unknown) => `api.cursor:${sha256(JSON.stringify(question))}`;
  return {
    write: (position: unknown, question: unknown): string => vault.seal(JSON.stringify(position), contextOf(question)),
    /** @throws Refusal `cursor.invalid` (invalid) when it is not ours or of another question */
    read<Position>(cursor: string | undefined, question: unknown): Position | undefined {
      if (cursor === undefined) return undefined;
      try {
        return JSON.parse(vault.open(cursor, contextOf(question))) as Position;
      } catch (cause) {
        throw new Refusal('cursor.invalid', { kind: 'invalid', cause });
      }
    },
  };
}

export type Cursors = ReturnType<typeof createCursors>;
