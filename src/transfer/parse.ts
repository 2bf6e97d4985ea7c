import { parse } from 'csv-parse/sync';
import { Refusal } from '../platform/index.ts';
import type { Piece } from './split.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });
const bad = (code: string) => new Refusal(code, { kind: 'invalid' });

/** The text of a record. @throws Refusal `import.row_too_long`, `import.not_utf8`, `import.nul` (invalid) */
export function textOf({ bytes, end }: Piece): string {
  if (!bytes) throw bad('import.row_too_long');
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw bad('import.not_utf8');
  }
  // A byte order mark is the decoder's; in the middle of a file it would be a letter.
  if (end === bytes.length) text = text.replace(/^\uFEFF/, '');
  if (text.includes('\0')) throw bad('import.nul');
  return text;
}

/** @throws Refusal `import.malformed` (invalid) when it is no JSON object */
export function objectOf(text: string): Record<string, unknown> {
  try {
    const value = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value) && isShallow(value, 32)) return value;
  } catch {
    // Told below.
  }
  throw bad('import.malformed');
}

/** What is read by recursion further on must not be deep enough to exhaust the stack. */
const isShallow = (value: unknown, left: number): boolean =>
  typeof value !== 'object' ||
  value === null ||
  (left > 0 && Object.values(value).every((inner) => isShallow(inner, left - 1)));

const isText = (text: string) => text.isWellFormed() && !text.includes('\0');

/** Whether PostgreSQL keeps it: no NUL and no half of a surrogate pair in it, escaped ones neither. It must be shallow. */
export const isStorable = (value: unknown): boolean => {
  if (typeof value === 'string') return isText(value);
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([name, inner]) => isText(name) && isStorable(inner));
};

/**
 * The columns of a table.
 * @param needs columns without which the file is another one than it was said to be
 * @throws Refusal `import.column_repeated`, `import.column_missing` (invalid) with `details.columns`
 */
export function headerOf(text: string, delimiter: string, needs: readonly string[] = []): string[] {
  const columns = cellsOf(text, delimiter).map((cell) => cell.trim());
  const refuse = (code: string, which: string[]) => {
    if (which.length === 0) return;
    const named = which.slice(0, 10).map((column) => column.slice(0, 60));
    throw new Refusal(code, { kind: 'invalid', details: { columns: named } });
  };
  // Of two columns with one name one would be lost unseen.
  refuse(
    'import.column_repeated',
    columns.filter((column, at) => columns.indexOf(column) !== at),
  );
  refuse(
    'import.column_missing',
    needs.filter((column) => !columns.includes(column)),
  );
  return columns;
}

/** One row's cells. @throws Refusal `import.malformed` (invalid): quotes that make no sense */
export function cellsOf(text: string, delimiter: string): string[] {
  try {
    return (
      (parse(text, { delimiter, relax_column_count: true, record_delimiter: ['\r\n', '\n'] })[0] as string[]) ?? []
    );
  } catch {
    throw bad('import.malformed');
  }
}

/** The cells under their columns. @throws Refusal `import.columns` (invalid) when there are more or fewer */
export function rowOf(cells: string[], columns: readonly string[]): Record<string, unknown> {
  if (cells.length !== columns.length) {
    throw new Refusal('import.columns', {
      kind: 'invalid',
      details: { expected: columns.length, found: cells.length },
    });
  }
  return Object.fromEntries(columns.map((column, at) => [column, cells[at]]));
}
