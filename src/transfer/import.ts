import type { WholeCredentials } from '../credentials/index.ts';
import { Refusal } from '../platform/index.ts';
import type { ItemResult, TaskRun } from '../platform/jobs/index.ts';
import type { By } from '../users/index.ts';
import { createBatches, failed } from './batch.ts';
import type { ImportCheckpoint, ImportInput } from './options.ts';
import { cellsOf, objectOf, rowOf, textOf } from './parse.ts';
import { keysOf, type Row } from './plan.ts';
import type { TransferPorts } from './ports.ts';
import { isHeader, readHeader, readRecord, type UserRecord } from './record.ts';
import { type Context, sourceOf } from './sources/index.ts';
import { type Piece, split } from './split.ts';
import type { Spool } from './spool.ts';

const mostRows = 500;
const mostPending = 4 * 1024 * 1024;

/** What an export was made under; recovery codes of the same one are good here. */
export const fingerprintOf = (ports: Pick<TransferPorts, 'vault'>): string => ports.vault.mac('export', 'transfer');

/** The work of an import task: reads the spooled file from the checkpoint on, and brings it in batch by batch. */
export function createImport(ports: TransferPorts, spool: Spool) {
  const { db, log, vault, tasks, events, passwords, credentialIntake, fields } = ports;
  const bringIn = createBatches(ports);

  const hashOf = (record: UserRecord, at: ImportCheckpoint): string | undefined => {
    const { passwordHash } = record;
    if (passwordHash === undefined) return undefined;
    // The keys of an export have other names here.
    const renamed = passwordHash.replace(
      /^(\$(?:firebase|devise)\$k=)([\w-]+)/,
      (_, before, id) => before + (at.keys?.[id] ?? id),
    );
    return passwords.takeOver(renamed).hash;
  };

  /** @throws Refusal for what cannot be brought in */
  const checked = async (line: number, raw: unknown, input: ImportInput, at: ImportCheckpoint): Promise<Row> => {
    const record = readRecord(raw);
    if (record.administrator && !input.administrators) {
      throw new Refusal('import.administrator_refused', { kind: 'forbidden' });
    }
    if (record.totp && !credentialIntake.isTotpSecret(record.totp.secret)) {
      throw new Refusal('import.field_malformed', { kind: 'invalid', details: { field: 'totp.secret' } });
    }
    if (record.attributes) {
      const values = await fields.check(record.attributes, { as: 'administrator', at: 'api' });
      record.attributes = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null)) as never;
    }
    const hash =
      hashOf(record, at) ??
      (record.password && !input.dryRun ? (await passwords.prepare(record.password)).hash : undefined);
    const credentials: WholeCredentials = {
      password: hash ? { hash, changedAt: record.passwordChangedAt } : undefined,
      totp: record.totp,
      recoveryCodes: record.recoveryCodes,
      recoveryCodeMacs: at.ownCodes ? record.recoveryCodeMacs : undefined,
      passkeys: record.passkeys,
    };
    return { line, record, credentials };
  };

  const readKeys = async (raw: unknown, at: ImportCheckpoint): Promise<ImportCheckpoint> => {
    const header = readHeader(raw);
    const keys: Record<string, string> = {};
    for (const { id, key } of header.keys ?? []) keys[id] = await passwords.keys.add(key);
    return {
      ...at,
      keys,
      ownCodes: header.fingerprint ? vault.hasMac('export', 'transfer', header.fingerprint) : false,
    };
  };

  return async ({ id, input, checkpoint, report, signal, by: actor }: TaskRun<ImportInput, ImportCheckpoint>) => {
    const source = sourceOf(input.from, input.map);
    const delimiter = input.delimiter ?? input.map?.delimiter ?? ',';
    const by: By = { actor, reason: 'import' };
    const firebaseKey = input.firebaseKeyId && (await passwords.keys.find(input.firebaseKeyId));
    const context: Context = {
      fields: new Set((await fields.list()).map(({ name }) => name)),
      pepperId: input.pepperId,
      firebase:
        firebaseKey && firebaseKey.kind === 'firebase' ? { keyId: input.firebaseKeyId!, key: firebaseKey } : undefined,
    };
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
      await commit(rows, results, upTo);
      at = upTo;
      rows = [];
      results = [];
      taken = new Set();
      pending = 0;
    };

    /** @returns the record, or undefined for what is none */
    const rawOf = async (piece: Piece): Promise<Record<string, unknown> | undefined> => {
      const text = textOf(piece);
      if (source.how !== 'csv') {
        const raw = objectOf(text);
        if (input.from !== 'cardea' || !isHeader(raw)) return source.convert(raw, context);
        at = await readKeys(raw, at);
        return undefined;
      }
      const cells = cellsOf(text, delimiter);
      if (at.columns) return source.convert(rowOf(cells, at.columns), context);
      at = { ...at, columns: cells.map((cell) => cell.trim()) };
      return undefined;
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
  };
}
