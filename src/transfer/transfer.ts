import { newId, Refusal } from '../platform/index.ts';
import type { Task, TaskActor } from '../platform/jobs/index.ts';
import type { By } from '../users/index.ts';
import { createExport, type ExportOptions } from './export.ts';
import { createImport } from './import.ts';
import { type ImportInput, type ImportOptions, importOptions } from './options.ts';
import type { TransferPorts } from './ports.ts';
import { createSpool } from './spool.ts';

export const importKind = 'users.import';

/** People in, by the million, and out again. */
export interface Transfer {
  /**
   * Stores the file and queues its import; what becomes of it is asked of the tasks, as `users.import`.
   * @param chunks the file, as it comes
   * @throws Refusal `import.options_malformed` (with `details.field`), `import.too_large`, `import.empty` (invalid)
   */
  start(options: ImportOptions, chunks: AsyncIterable<Uint8Array>, by: By): Promise<Task>;
  /** Everybody, a piece of text at a time. Whoever calls sees to it that the asker may have it. */
  everybody(options: ExportOptions, by: By): AsyncGenerator<string>;
  tidy(): Promise<void>;
}

export function createTransfer(ports: TransferPorts): Transfer {
  const { tasks, passwords, events, settings, db } = ports;
  const spool = createSpool({ ...ports, mostBytes: settings.imports.maxBytes });
  tasks.register<ImportInput, never>(importKind, {
    run: createImport(ports, spool) as never,
    ended: spool.clear,
  });

  return {
    async start(options, chunks, by) {
      const { firebase, pepper, ...rest } = readOptions(options);
      const id = newId();
      const size = await spool.fill(id, chunks);
      const input: ImportInput = {
        ...rest,
        size,
        firebaseKeyId: firebase && (await passwords.keys.add({ kind: 'firebase', ...firebase })),
        pepperId: pepper === undefined ? undefined : await passwords.keys.add({ kind: 'pepper', pepper }),
      };
      return db.transact(async () => {
        const data = { task: id, from: input.from, dryRun: input.dryRun };
        await events.record({ type: 'users.import_started', ...by, data });
        return tasks.start(importKind, input, by.actor as TaskActor, id);
      });
    },
    everybody: createExport(ports),
    tidy: spool.tidy,
  };
}

/** @throws Refusal `import.options_malformed` (invalid) */
export function readOptions(options: unknown) {
  const read = importOptions.safeParse(options);
  if (read.success) return read.data;
  const field = read.error.issues[0]!.path.join('.') || '(options)';
  throw new Refusal('import.options_malformed', { kind: 'invalid', details: { field } });
}
