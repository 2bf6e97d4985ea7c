import { Refusal } from '../platform/index.ts';
import type { ItemResult, TaskRun } from '../platform/jobs/index.ts';
import type { By } from '../users/index.ts';
import { createBatches, failed } from './batch.ts';
import { type Definitions, isDefinition } from './definitions.ts';
import type { ImportCheckpoint, ImportInput } from './options.ts';
import { cellsOf, headerOf, objectOf, rowOf, textOf } from './parse.ts';
import { keysOf, type Row } from './plan.ts';
import type { TransferPorts } from './ports.ts';
import { isEnd, isHeader, readHeader } from './record.ts';
import { createRowChecks } from './rows.ts';
import { type Context, ldifOf, sourceOf } from './sources/index.ts';
import { type Piece, split } from './split.ts';
import type { Spool } from './spool.ts';

const mostRows = 500;
const mostPending = 4 * 1024 * 1024;

/** The work of an import task: reads the spooled file from the checkpoint on, and brings it in batch by batch. */
export function createImport(ports: TransferPorts, definitions: Definitions, spool: Spool) {
  const { db, log, vault, tasks, events, passwords, fields, users } = ports;
  const bringIn = createBatches(ports);
  const checked = createRowChecks(ports);

  const readKeys = async (raw: unknown, at: ImportCheckpoint): Promise<ImportCheckpoint> => {
    const header = readHeader(raw);
    const keys: Record<string, string> = {};
    for (const { id, key } of header.keys ?? []) keys[id] = await passwords.keys.add(key);
    const ownCodes = header.fingerprint ? vault.hasMac('export', 'transfer', header.fingerprint) : false;
    return { ...at, keys, ownCodes, whole: false };
  };

  /** Who began it may have lost the right to meanwhile: then nothing more is done in their name. */
  const demandStillMay = async ({ actor }: By) => {
    if (actor.kind !== 'administrator') return;
    const user = await users.byId(actor.id ?? '');
    if (!user?.administrator || !user.mayHold()) throw new Refusal('caller.not_permitted', { kind: 'forbidden' });
  };

  const contextOf = async ({ firebaseKeyId, pepperId }: ImportInput): Promise<Context> => {
    const key = firebaseKeyId === undefined ? undefined : await passwords.keys.find(firebaseKeyId);
    return {
      fields: new Set((await fields.list()).map(({ name }) => name)),
      pepperId,
      firebase: key?.kind === 'firebase' ? { keyId: firebaseKeyId!, key } : undefined,
    };
  };

  return async ({ id, input, checkpoint, report, signal, by: actor }: TaskRun<ImportInput, ImportCheckpoint>) => {
    const source = sourceOf(input.from, input.map);
    const delimiter = input.delimiter ?? input.map?.delimiter ?? ',';
    const by: By = { actor, reason: 'import' };
    const context = await contextOf(input);
    let at: ImportCheckpoint = checkpoint ?? { offset: 0, line: 1 };
    let rows: Row[] = [];
    let results: ItemResult[] = [];
    let taken = new Set<string>();
    let pending = 0;

    const told = (all: ItemResult[]) => {
      if (input.report === 'all') return { results: all };
      const counted: Record<string, number> = {};
      const worth = all.filter(({ outcome, code }) => {
        if (outcome === 'failed' || code) return true;
        counted[outcome] = (counted[outcome] ?? 0) + 1;
        return false;
      });
      return { results: worth, counted };
    };

    /** Commits what was gathered, or its halves: one row that the database refuses must not hold up the others. */
    const commit = async (
      some: readonly Row[],
      before: ItemResult[],
      upTo: ImportCheckpoint | undefined,
    ): Promise<void> => {
      try {
        await db.transact(async () => {
          const outcomes = some.length > 0 ? await bringIn(some, input, by) : [];
          await report({ ...told([...before, ...outcomes]), checkpoint: upTo ?? at });
        });
      } catch (error) {
        if (signal.aborted || (error instanceof Error && error.name === 'TaskLost')) throw error;
        if (error instanceof Refusal && error.kind === 'unavailable') throw error;
        if (some.length === 0) throw error;
        log.warn(
          { err: error, task: id, rows: some.length },
          'a batch of an import was refused: it is tried in halves',
        );
        if (some.length === 1) {
          const refused = failed(some[0]!.line, new Refusal('import.refused', { kind: 'invalid' }));
          await report({ ...told([...before, refused]), checkpoint: upTo ?? at });
          return;
        }
        // The checkpoint moves with the last of them only: what is done twice after a crash in between is found unchanged.
        const middle = some.length >> 1;
        await commit(some.slice(0, middle), before, undefined);
        await commit(some.slice(middle), [], upTo);
      }
    };
    const flush = async (upTo: ImportCheckpoint) => {
      await demandStillMay(by);
      await commit(rows, results, upTo);
      at = upTo;
      rows = [];
      results = [];
      taken = new Set();
      pending = 0;
    };

    /** Lines of an export that are no people. @returns whether it was one */
    const takeOther = async (line: number, raw: Record<string, unknown>): Promise<boolean> => {
      if (isHeader(raw)) at = await readKeys(raw, at);
      else if (isEnd(raw)) at = { ...at, whole: true };
      else if (!isDefinition(raw)) return false;
      else if (input.definitions && !input.dryRun) {
        const one = definitions.read(raw);
        // People before it do not know of it; it is done again after a crash, and then found.
        await flush({ ...at, ...last });
        const isNew = await db.transact(() => definitions.add(one, by));
        results.push({ position: line, outcome: isNew ? 'defined' : 'unchanged', details: { kind: one.type } });
      }
      return true;
    };

    /** @returns the record, or undefined for what is none */
    const rawOf = async (piece: Piece): Promise<Record<string, unknown> | undefined> => {
      const text = textOf(piece);
      if (source.how === 'csv') return source.convert(rowOf(cellsOf(text, delimiter), at.columns!), context);
      if (source.how === 'ldif') return source.convert(ldifOf(text), context);
      const raw = objectOf(text);
      return input.from === 'cardea' && (await takeOther(piece.line, raw)) ? undefined : source.convert(raw, context);
    };

    let last = { offset: at.offset, line: at.line };
    let read = at.offset;
    const chunks = async function* () {
      for await (const chunk of spool.read(id, last.offset)) {
        read += chunk.length;
        yield chunk;
      }
    };
    for await (const piece of split(chunks(), { how: source.how, delimiter }, last)) {
      if (signal.aborted) return;
      if (source.how === 'csv' && !at.columns) {
        // What is wrong with it is wrong with every row: the whole of it is refused.
        at = { ...at, columns: headerOf(textOf(piece), delimiter, source.needs) };
        last = { offset: piece.end, line: piece.nextLine };
        continue;
      }
      try {
        const raw = await rawOf(piece);
        if (raw !== undefined) {
          const row = await checked(piece.line, raw, input, at);
          const keys = keysOf(row.record);
          // Somebody twice: the second is looked at when the first is in.
          if (keys.some((key) => taken.has(key))) await flush({ ...at, ...last });
          for (const key of keys) taken.add(key);
          rows.push(row);
        }
      } catch (error) {
        if (!(error instanceof Refusal) || error.kind === 'unavailable') throw error;
        results.push(failed(piece.line, error));
      }
      pending += piece.bytes?.length ?? 0;
      last = { offset: piece.end, line: piece.nextLine };
      if (rows.length + results.length >= mostRows || pending >= mostPending) await flush({ ...at, ...last });
    }
    // What is spooled goes with a task that was cancelled: then the commit tells so. Else nothing may be missing.
    if (read !== input.size && !signal.aborted) throw new Refusal('import.incomplete', { kind: 'conflict' });
    await flush({ ...at, ...last });
    const { tally = {} } = (await tasks.find(id)) ?? {};
    await events.record({ type: 'users.imported', ...by, data: { task: id, tally } });
    // Those that are there are in; that some are not must be seen.
    if (at.whole === false) throw new Refusal('import.truncated', { kind: 'conflict' });
  };
}
