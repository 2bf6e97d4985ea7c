import { Refusal } from '../platform/index.ts';
import type { ItemResult } from '../platform/jobs/index.ts';
import type { By } from '../users/index.ts';
import { createCommit, type ImportRun } from './commit.ts';
import type { ImportCheckpoint } from './options.ts';
import { keysOf, type Row } from './plan.ts';
import type { TransferPorts } from './ports.ts';
import type { Piece } from './split.ts';

const mostRows = 500;
const mostPending = 4 * 1024 * 1024;

/** What of a file was read and is not in yet, and how far that is. */
export function createGathered(ports: TransferPorts, run: ImportRun, by: By) {
  const commit = createCommit(ports, run, by);
  let at: ImportCheckpoint = run.checkpoint ?? { offset: 0, line: 1 };
  let place = { offset: at.offset, line: at.line };
  let rows: Row[] = [];
  let results: ItemResult[] = [];
  let taken = new Set<string>();
  let pending = 0;

  /** Who began it may have lost the right to meanwhile: then nothing more is done in their name. */
  const demandStillMay = async () => {
    const { actor } = by;
    if (actor.kind !== 'administrator') return;
    const user = await ports.users.byId(actor.id ?? '');
    if (!user?.administrator || !user.mayHold()) throw new Refusal('caller.not_permitted', { kind: 'forbidden' });
  };

  const flush = async (): Promise<void> => {
    await demandStillMay();
    const to = { ...at, ...place };
    await commit({ rows, results, from: at, to });
    at = to;
    rows = [];
    results = [];
    taken = new Set();
    pending = 0;
  };

  return {
    /** What is known of the file, and what of it is in. */
    at: () => at,
    /** Where to read on: behind the last piece that was dealt with. */
    place: () => place,
    /** The file says this of itself; kept with the next commit. */
    learn(more: Partial<ImportCheckpoint>): void {
      at = { ...at, ...more };
    },
    passed({ bytes, end, nextLine }: Piece): void {
      pending += bytes?.length ?? 0;
      place = { offset: end, line: nextLine };
    },
    async add(row: Row): Promise<void> {
      const keys = keysOf(row.record);
      // Somebody twice: the second is looked at when the first is in.
      if (keys.some((key) => taken.has(key))) await flush();
      for (const key of keys) taken.add(key);
      rows.push(row);
    },
    /** Something is done, or failed, without a row. */
    note(result: ItemResult): void {
      results.push(result);
    },
    isFull: () => rows.length + results.length >= mostRows || pending >= mostPending,
    /** Brings it in. @throws Refusal `caller.not_permitted` (forbidden), and whatever stops the task */
    flush,
  };
}

export type Gathered = ReturnType<typeof createGathered>;
