import { Refusal } from '../platform/index.ts';
import type { ItemResult, TaskRun } from '../platform/jobs/index.ts';
import type { By } from '../users/index.ts';
import { createBatches, failed } from './batch.ts';
import type { ImportCheckpoint, ImportInput } from './options.ts';
import type { Row } from './plan.ts';
import type { TransferPorts } from './ports.ts';

/** The task of an import, as it runs. */
export type ImportRun = TaskRun<ImportInput, ImportCheckpoint>;

/** Rows to bring in, the results that are there without, and the places in the file before and behind all of them. */
interface Gathered {
  rows: readonly Row[];
  results: ItemResult[];
  from: ImportCheckpoint;
  to: ImportCheckpoint;
}

/** Commits what was gathered, or its halves: one row that the database refuses must not hold up the others. */
export function createCommit(
  ports: TransferPorts,
  { id, input, report, signal }: Pick<ImportRun, 'id' | 'input' | 'report' | 'signal'>,
  by: By,
) {
  const { db, log } = ports;
  const bringIn = createBatches(ports);

  return async function commit({ rows, results, from, to }: Gathered): Promise<void> {
    try {
      await db.transact(async () => {
        const outcomes = rows.length > 0 ? await bringIn(rows, input, by) : [];
        await report({ ...told([...results, ...outcomes], input), checkpoint: to });
      });
    } catch (error) {
      if (signal.aborted || (error instanceof Error && error.name === 'TaskLost')) throw error;
      if (error instanceof Refusal && error.kind === 'unavailable') throw error;
      if (rows.length === 0) throw error;
      log.warn({ err: error, task: id, rows: rows.length }, 'a batch of an import was refused: it is tried in halves');
      if (rows.length === 1) {
        const refused = failed(rows[0]!.line, new Refusal('import.refused', { kind: 'invalid' }));
        return report({ ...told([...results, refused], input), checkpoint: to });
      }
      // The checkpoint moves with the last of them only: what is done twice after a crash in between is found unchanged.
      const middle = rows.length >> 1;
      await commit({ rows: rows.slice(0, middle), results, from, to: from });
      await commit({ rows: rows.slice(middle), results: [], from, to });
    }
  };
}

/** Every result, or those that need a look and how many there are of the others. */
function told(all: ItemResult[], { report }: ImportInput) {
  if (report === 'all') return { results: all };
  const counted: Record<string, number> = {};
  const worth = all.filter(({ outcome, code }) => {
    if (outcome === 'failed' || code) return true;
    counted[outcome] = (counted[outcome] ?? 0) + 1;
    return false;
  });
  return { results: worth, counted };
}
