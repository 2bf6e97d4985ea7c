import type { By } from '../users/index.ts';
import { type Definitions, isDefinition } from './definitions.ts';
import type { Gathered } from './gathered.ts';
import type { ImportCheckpoint, ImportInput } from './options.ts';
import { cellsOf, headerOf, objectOf, rowOf, textOf } from './parse.ts';
import type { TransferPorts } from './ports.ts';
import { isEnd, isHeader, readHeader } from './record.ts';
import { type Context, ldifOf, sourceOf } from './sources/index.ts';
import type { Cut, Piece } from './split.ts';

/** How the records of one file are read. */
export interface Reading {
  how: Cut;
  delimiter: string;
  /** Whether the next piece names the columns. */
  awaitsColumns(): boolean;
  /** @throws Refusal when the table cannot be what was asked for: what is wrong with it is wrong with every row */
  readColumns(piece: Piece): void;
  /** @returns the record, or undefined for what is none and is dealt with */
  rawOf(piece: Piece): Promise<Record<string, unknown> | undefined>;
}

/** Reads pieces as what the file comes from spells them; what an export says beside its people is done on the way. */
export async function createReading(
  ports: TransferPorts,
  { definitions, input, gathered, by }: { definitions: Definitions; input: ImportInput; gathered: Gathered; by: By },
): Promise<Reading> {
  const source = sourceOf(input.from, input.map);
  const delimiter = input.delimiter ?? input.map?.delimiter ?? ',';
  const context = await contextOf(ports, input);

  const define = async (line: number, raw: Record<string, unknown>) => {
    const one = definitions.read(raw);
    // People before it do not know of it; it is done again after a crash, and then found.
    await gathered.flush();
    const isNew = await ports.db.transact(() => definitions.add(one, by));
    gathered.note({ position: line, outcome: isNew ? 'defined' : 'unchanged', details: { kind: one.type } });
  };

  /** Lines of an export that are no people. @returns whether it was one */
  const takeOther = async (line: number, raw: Record<string, unknown>): Promise<boolean> => {
    if (isHeader(raw)) gathered.learn(await headOf(ports, raw));
    else if (isEnd(raw)) gathered.learn({ whole: true });
    else if (!isDefinition(raw)) return false;
    else if (input.definitions && !input.dryRun) await define(line, raw);
    return true;
  };

  return {
    how: source.how,
    delimiter,
    awaitsColumns: () => source.how === 'csv' && !gathered.at().columns,
    readColumns: (piece) => gathered.learn({ columns: headerOf(textOf(piece), delimiter, source.needs) }),
    async rawOf(piece) {
      const text = textOf(piece);
      if (source.how === 'csv') return source.convert(rowOf(cellsOf(text, delimiter), gathered.at().columns!), context);
      if (source.how === 'ldif') return source.convert(ldifOf(text), context);
      const raw = objectOf(text);
      return input.from === 'cardea' && (await takeOther(piece.line, raw)) ? undefined : source.convert(raw, context);
    },
  };
}

/** What the first line of an export tells: under which keys its hashes are, and whether its recovery codes count here. */
async function headOf({ passwords, vault }: TransferPorts, raw: unknown): Promise<Partial<ImportCheckpoint>> {
  const header = readHeader(raw);
  const keys: Record<string, string> = {};
  for (const { id, key } of header.keys ?? []) keys[id] = await passwords.keys.add(key);
  const ownCodes = header.fingerprint ? vault.hasMac('export', 'transfer', header.fingerprint) : false;
  return { keys, ownCodes, whole: false };
}

async function contextOf(
  { fields, passwords }: TransferPorts,
  { firebaseKeyId, pepperId }: ImportInput,
): Promise<Context> {
  const key = firebaseKeyId === undefined ? undefined : await passwords.keys.find(firebaseKeyId);
  return {
    fields: new Set((await fields.list()).map(({ name }) => name)),
    pepperId,
    firebase: key?.kind === 'firebase' ? { keyId: firebaseKeyId!, key } : undefined,
  };
}
