import { Refusal } from '../platform/index.ts';
import type { By } from '../users/index.ts';
import { failed } from './batch.ts';
import type { ImportRun } from './commit.ts';
import type { Definitions } from './definitions.ts';
import { createGathered } from './gathered.ts';
import type { TransferPorts } from './ports.ts';
import { createReading } from './reading.ts';
import { createRowChecks } from './rows.ts';
import { type Piece, split } from './split.ts';
import type { Spool } from './spool.ts';

/** The work of an import task: reads the spooled file from the checkpoint on, and brings it in batch by batch. */
export function createImport(ports: TransferPorts, definitions: Definitions, spool: Spool) {
  const { tasks, events } = ports;
  const checked = createRowChecks(ports);

  return async (run: ImportRun): Promise<void> => {
    const { id, input, signal } = run;
    const by: By = { actor: run.by, reason: 'import' };
    const gathered = createGathered(ports, run, by);
    const reading = await createReading(ports, { definitions, input, gathered, by });

    /** A record is gathered, a line that is none is done; what cannot be costs its own line. */
    const take = async (piece: Piece): Promise<void> => {
      try {
        const raw = await reading.rawOf(piece);
        if (raw !== undefined) await gathered.add(await checked(piece.line, raw, input, gathered.at()));
      } catch (error) {
        if (!(error instanceof Refusal) || error.kind === 'unavailable') throw error;
        gathered.note(failed(piece.line, error));
      }
    };

    let read = gathered.place().offset;
    const chunks = async function* () {
      for await (const chunk of spool.read(id, read)) {
        read += chunk.length;
        yield chunk;
      }
    };
    for await (const piece of split(chunks(), reading, gathered.place())) {
      if (signal.aborted) return;
      if (reading.awaitsColumns()) reading.readColumns(piece);
      else await take(piece);
      gathered.passed(piece);
      if (gathered.isFull()) await gathered.flush();
    }
    // What is spooled goes with a task that was cancelled: then the commit tells so. Else nothing may be missing.
    if (read !== input.size && !signal.aborted) throw new Refusal('import.incomplete', { kind: 'conflict' });
    await gathered.flush();
    const { tally = {} } = (await tasks.find(id)) ?? {};
    await events.record({ type: 'users.imported', ...by, data: { task: id, tally } });
    // Those that are there are in; that some are not must be seen.
    if (gathered.at().whole === false) throw new Refusal('import.truncated', { kind: 'conflict' });
  };
}
