import type { Db } from '../platform/db/index.ts';
import { type Clock, Refusal, secondsAfter, type Vault } from '../platform/index.ts';

/**
 * What is to be imported, until it is: in the database, so that whichever process goes on with the task has it, in pieces,
 * so that it fits into no memory, and sealed, since hashes and secrets of whole organisations stand in it.
 */
export interface Spool {
  /**
   * Stores all that comes under the task's id.
   * @returns how many bytes. @throws Refusal `import.too_large`, `import.empty` (invalid); then nothing is left
   */
  fill(taskId: string, chunks: AsyncIterable<Uint8Array>): Promise<number>;
  /** Makes room for a file that comes in parts, with a note of what it is for. @throws Refusal `import.too_many` (limited) */
  open(taskId: string, note: string): Promise<void>;
  /** What is there of a file that comes in parts, or undefined when there is no such file. */
  opened(taskId: string): Promise<{ note: string; received: number } | undefined>;
  /**
   * Adds a part behind what is there; in the open transaction, which holds the file until it ends.
   * @throws Refusal `import.part_misplaced` (conflict) with `details.received`, `import.too_large` (invalid)
   */
  add(taskId: string, offset: number, bytes: Buffer): Promise<void>;
  /** From this byte on. */
  read(taskId: string, offset: number): AsyncGenerator<Buffer>;
  clear(taskId: string): Promise<void>;
  /** Clears what belongs to no task that waits, runs or ended less than a day ago. */
  tidy(): Promise<void>;
}

const pieceBytes = 256 * 1024;
/** The piece before the first byte is the note. */
const noteAt = -1;
/** Files that were begun and not started, in all. */
const mostOpen = 20;
const keptSeconds = 24 * 60 * 60;

/** @param options.mostBytes that one import may have */
export function createSpool(options: { db: Db; clock: Clock; vault: Vault; mostBytes: number }): Spool {
  const { db, clock, vault, mostBytes } = options;
  const sealing = (taskId: string, at: number) => `import:${taskId}:${at}`;
  const tooLarge = () => new Refusal('import.too_large', { kind: 'invalid', details: { most: mostBytes } });

  const clear = async (taskId: string) => {
    await db.query('delete from import_piece where task_id = $1', [taskId]);
  };

  const store = async (taskId: string, at: number, bytes: Buffer, length = bytes.length) => {
    await db.query('insert into import_piece (task_id, starts_at, length, sealed) values ($1, $2, $3, $4)', [
      taskId,
      at,
      length,
      // One letter a byte, so that nothing of what is no UTF-8 is lost before it was told.
      vault.seal(bytes.toString('latin1'), sealing(taskId, at)),
    ]);
  };

  const opened: Spool['opened'] = async (taskId) => {
    const [row] = await db.query<{ sealed: string; received: string }>(
      `select sealed, (select coalesce(sum(length), 0) from import_piece where task_id = $1 and starts_at >= 0) as received
         from import_piece where task_id = $1 and starts_at = $2`,
      [taskId, noteAt],
    );
    return row && { note: vault.open(row.sealed, sealing(taskId, noteAt)), received: Number(row.received) };
  };

  return {
    clear,
    opened,
    async fill(taskId, chunks) {
      let total = 0;
      let held: Buffer[] = [];
      let heldBytes = 0;
      const flush = async () => {
        if (heldBytes === 0) return;
        const bytes = Buffer.concat(held);
        held = [];
        heldBytes = 0;
        await store(taskId, total - bytes.length, bytes);
      };
      try {
        for await (const chunk of chunks) {
          total += chunk.length;
          if (total > mostBytes) throw tooLarge();
          held.push(Buffer.from(chunk));
          heldBytes += chunk.length;
          if (heldBytes >= pieceBytes) await flush();
        }
        if (total === 0) throw new Refusal('import.empty', { kind: 'invalid' });
        await flush();
      } catch (error) {
        await clear(taskId).catch(() => undefined);
        throw error;
      }
      return total;
    },

    open: (taskId, note) =>
      db.transact(async () => {
        await db.lock('import:open');
        const [row] = await db.query<{ count: number }>(
          `select count(*)::int as count from import_piece p
             where starts_at = $1 and not exists (select 1 from task t where t.id = p.task_id)`,
          [noteAt],
        );
        if (row!.count >= mostOpen) {
          throw new Refusal('import.too_many', { kind: 'limited', details: { most: mostOpen }, retryAfter: 3_600 });
        }
        // Nothing of the file: its length is none.
        await store(taskId, noteAt, Buffer.from(note), 0);
      }),

    async add(taskId, offset, bytes) {
      // One part after the other: of two that begin at the same byte one finds its place taken.
      await db.lock(`import:${taskId}`);
      const { received = 0 } = (await opened(taskId)) ?? {};
      if (offset !== received) throw new Refusal('import.part_misplaced', { kind: 'conflict', details: { received } });
      if (received + bytes.length > mostBytes) throw tooLarge();
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        await store(taskId, received + at, bytes.subarray(at, at + pieceBytes));
      }
    },

    async *read(taskId, offset) {
      for (let at = offset; ; ) {
        const [row] = await db.query<{ starts_at: string; length: number; sealed: string }>(
          `select starts_at, length, sealed from import_piece
             where task_id = $1 and starts_at <= $2 order by starts_at desc limit 1`,
          [taskId, at],
        );
        if (!row || at >= Number(row.starts_at) + row.length) return;
        const startsAt = Number(row.starts_at);
        const bytes = Buffer.from(vault.open(row.sealed, sealing(taskId, startsAt)), 'latin1');
        yield at === startsAt ? bytes : bytes.subarray(at - startsAt);
        at = startsAt + row.length;
      }
    },

    async tidy() {
      const before = secondsAfter(clock.now(), -keptSeconds);
      await db.query(
        `delete from import_piece p where p.task_id < $1 and not exists
           (select 1 from task t where t.id = p.task_id and (t.state in ('queued', 'running') or t.ended_at > $2))`,
        [idOf(before), before],
      );
    },
  };
}

/** As an id made at this moment would begin: ids tell their time (UUIDv7). */
const idOf = (moment: Date): string => {
  const hex = moment.getTime().toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
};
