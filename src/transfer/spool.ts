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
  /** From this byte on. */
  read(taskId: string, offset: number): AsyncGenerator<Buffer>;
  clear(taskId: string): Promise<void>;
  /** Clears what belongs to no task that waits or runs: left by uploads that broke off. */
  tidy(): Promise<void>;
}

const pieceBytes = 256 * 1024;

/** @param options.mostBytes that one import may have */
export function createSpool(options: { db: Db; clock: Clock; vault: Vault; mostBytes: number }): Spool {
  const { db, clock, vault, mostBytes } = options;
  const sealing = (taskId: string, at: number) => `import:${taskId}:${at}`;

  const clear = async (taskId: string) => {
    await db.query('delete from import_piece where task_id = $1', [taskId]);
  };

  return {
    clear,
    async fill(taskId, chunks) {
      let total = 0;
      let held: Buffer[] = [];
      let heldBytes = 0;
      const flush = async () => {
        if (heldBytes === 0) return;
        const bytes = Buffer.concat(held);
        held = [];
        heldBytes = 0;
        const at = total - bytes.length;
        await db.query('insert into import_piece (task_id, starts_at, length, sealed) values ($1, $2, $3, $4)', [
          taskId,
          at,
          bytes.length,
          // One letter a byte, so that nothing of what is no UTF-8 is lost before it was told.
          vault.seal(bytes.toString('latin1'), sealing(taskId, at)),
        ]);
      };
      try {
        for await (const chunk of chunks) {
          total += chunk.length;
          if (total > mostBytes) {
            throw new Refusal('import.too_large', { kind: 'invalid', details: { most: mostBytes } });
          }
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
      await db.query(
        `delete from import_piece p where not exists
           (select 1 from task t where t.id = p.task_id and t.state in ('queued', 'running'))
           and p.task_id < $1`,
        [idOf(secondsAfter(clock.now(), -24 * 60 * 60))],
      );
    },
  };
}

/** As an id made at this moment would begin: ids tell their time (UUIDv7). */
const idOf = (moment: Date): string => {
  const hex = moment.getTime().toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
};
