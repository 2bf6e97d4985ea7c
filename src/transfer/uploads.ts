import { newId, Refusal } from '../platform/index.ts';
import type { Task } from '../platform/jobs/index.ts';
import type { By } from '../users/index.ts';
import type { ImportInput, ImportOptions } from './options.ts';
import type { TransferPorts } from './ports.ts';
import type { Spool } from './spool.ts';

/** A file that comes in parts. */
export interface Upload {
  /** That of the task, once it is started. */
  id: string;
  /** Bytes that are here: where the next part begins. */
  received: number;
}

/**
 * Files that come over HTTP: in parts, each of which is here wholly or not at all. A connection that breaks off costs one
 * part, a proxy's limit of a body or a request's time is none of the file's, and half a file is never taken for one: what
 * is to be imported has to have the length that was said.
 */
export interface Uploads {
  /** @throws Refusal as `Transfer.start`, `import.too_large` when it says so itself, `import.too_many` (limited) */
  open(options: ImportOptions, by: By, announced?: number): Promise<Upload>;
  /** What is here of it. @throws Refusal `import.unknown` (missing): also of somebody else's */
  find(id: string, by: By): Promise<Upload>;
  /** @throws Refusal `import.unknown`, `import.part_misplaced` (conflict) with `details.received`, `import.too_large` */
  add(id: string, offset: number, bytes: Buffer, by: By): Promise<Upload>;
  /**
   * Queues the import; asked again it answers with the same task.
   * @param size bytes of the whole file
   * @throws Refusal `import.unknown`, `import.incomplete` (conflict) with `details.received`, `import.empty`
   */
  start(id: string, size: number, by: By): Promise<Task>;
  discard(id: string, by: By): Promise<void>;
}

interface Note {
  /** Whose it is: nobody goes on with what another began. */
  actor: string | null;
  input: Omit<ImportInput, 'size'>;
}

export function createUploads(
  { db, tasks, settings }: Pick<TransferPorts, 'db' | 'tasks' | 'settings'>,
  spool: Spool,
  inputOf: (options: ImportOptions) => Promise<Omit<ImportInput, 'size'>>,
  queue: (id: string, input: ImportInput, by: By) => Promise<Task>,
): Uploads {
  const unknown = () => new Refusal('import.unknown', { kind: 'missing' });

  const demand = async (id: string, by: By): Promise<Note & { received: number }> => {
    const found = await spool.opened(id);
    if (!found) throw unknown();
    const note = JSON.parse(found.note) as Note;
    if (note.actor !== (by.actor.id ?? null)) throw unknown();
    return { ...note, received: found.received };
  };

  /** Parts belong to a file that waits for them; once it was started, it is the task's. */
  const demandWaiting = async (id: string, by: By) => {
    const found = await demand(id, by);
    if (await tasks.find(id)) throw unknown();
    return found;
  };

  return {
    async open(options, by, announced = 0) {
      const most = settings.imports.maxBytes;
      if (announced > most) throw new Refusal('import.too_large', { kind: 'invalid', details: { most } });
      const id = newId();
      const note: Note = { actor: by.actor.id ?? null, input: await inputOf(options) };
      await spool.open(id, JSON.stringify(note));
      return { id, received: 0 };
    },

    find: async (id, by) => ({ id, received: (await demandWaiting(id, by)).received }),

    add: (id, offset, bytes, by) =>
      db.transact(async () => {
        await demandWaiting(id, by);
        await spool.add(id, offset, bytes);
        return { id, received: offset + bytes.length };
      }),

    start: (id, size, by) =>
      db.transact(async () => {
        await db.lock(`import:${id}`);
        const task = await tasks.find(id);
        if (task?.by.id !== undefined && task.by.id === by.actor.id) return task;
        const { input, received } = await demandWaiting(id, by);
        if (received !== size) throw new Refusal('import.incomplete', { kind: 'conflict', details: { received } });
        if (size === 0) throw new Refusal('import.empty', { kind: 'invalid' });
        return queue(id, { ...input, size }, by);
      }),

    async discard(id, by) {
      await demandWaiting(id, by);
      await spool.clear(id);
    },
  };
}
