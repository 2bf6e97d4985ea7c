import { newId, Refusal } from '../platform/index.ts';
import type { Task, TaskActor } from '../platform/jobs/index.ts';
import type { By } from '../users/index.ts';
import { createDefinitions } from './definitions.ts';
import { createExport, type ExportOptions } from './export.ts';
import { createImport } from './import.ts';
import { type ImportCheckpoint, type ImportInput, type ImportOptions, importOptions } from './options.ts';
import type { TransferPorts } from './ports.ts';
import { createSpool } from './spool.ts';
import { createUploads, type Uploads } from './uploads.ts';

export const importKind = 'users.import';

/** People in, by the million, and out again. */
export interface Transfer {
  /**
   * Stores the file and queues its import; what becomes of it is asked of the tasks, as `users.import`.
   * @param chunks the file, as it comes
   * @throws Refusal `import.options_malformed` (with `details.field`), `import.too_large`, `import.empty` (invalid),
   *   `task.too_many` (limited)
   */
  start(options: ImportOptions, chunks: AsyncIterable<Uint8Array>, by: By): Promise<Task>;
  /** The same for a file that comes in parts. */
  uploads: Uploads;
  /** Everybody, a piece of text at a time. Whoever calls sees to it that the asker may have it. */
  everybody(options: ExportOptions, by: By): AsyncGenerator<string>;
  tidy(): Promise<void>;
}

/** Imports that may wait at once: each keeps its file. */
const mostImports = 20;

export function createTransfer(ports: TransferPorts): Transfer {
  const { tasks, passwords, events, settings, db } = ports;
  const definitions = createDefinitions(ports);
  const spool = createSpool({ ...ports, mostBytes: settings.imports.maxBytes });
  tasks.register<ImportInput, ImportCheckpoint>(importKind, {
    most: mostImports,
    run: createImport(ports, definitions, spool),
    progress: ({ input, checkpoint }) => (checkpoint?.offset ?? 0) / input.size,
    // What was cancelled or has failed may be gone on with for a day: until then the file stays, sealed.
    ended: async (id, state) => (state === 'done' ? spool.clear(id) : undefined),
  });

  const inputOf = async (options: ImportOptions): Promise<Omit<ImportInput, 'size'>> => {
    const { firebase, pepper, ...rest } = readOptions(options);
    return {
      ...rest,
      firebaseKeyId: firebase && (await passwords.keys.add({ kind: 'firebase', ...firebase })),
      pepperId: pepper === undefined ? undefined : await passwords.keys.add({ kind: 'pepper', pepper }),
    };
  };
  const queue = (id: string, input: ImportInput, by: By): Promise<Task> =>
    db.transact(async () => {
      const data = { task: id, from: input.from, dryRun: input.dryRun };
      await events.record({ type: 'users.import_started', ...by, data });
      return tasks.start(importKind, input, by.actor as TaskActor, id);
    });

  return {
    async start(options, chunks, by) {
      const input = await inputOf(options);
      const id = newId();
      const size = await spool.fill(id, chunks);
      try {
        return await queue(id, { ...input, size }, by);
      } catch (error) {
        await spool.clear(id).catch(() => undefined);
        throw error;
      }
    },
    uploads: createUploads(ports, spool, inputOf, queue),
    everybody: createExport({ ...ports, definitions }),
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
