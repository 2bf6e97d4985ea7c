import type { Db } from '../db/index.ts';
import { type Clock, type Log, Refusal, secondsAfter } from '../index.ts';
import { inSpan } from '../spans.ts';
import type { Task, TaskKind } from './task.ts';
import type { TaskStore } from './task-store.ts';

/** The task is another's by now, or was cancelled: rolls back what was not committed. */
export class TaskLost extends Error {
  override readonly name = 'TaskLost';
}

/**
 * One process's turn at a task, under a lease that is renewed for as long as the process lives. The lease keeps others
 * away; what keeps the work from being done twice is that every commit names the owner of the turn (a process that was
 * frozen while another took over finds its name gone and is rolled back).
 */
export function createTurn(options: {
  db: Db;
  store: TaskStore;
  log: Log;
  clock: Clock;
  leaseSeconds: number;
  // biome-ignore lint/suspicious/noExplicitAny: each kind has an input and a checkpoint of its own
  kind: TaskKind<any, any>;
  task: Task & { owner: string };
}) {
  const { db, store, log, clock, leaseSeconds, kind, task } = options;
  const { id, owner } = task;
  const abort = new AbortController();
  let heldUntil = secondsAfter(clock.now(), leaseSeconds);

  const renew = async () => {
    try {
      if (await store.renew(id, owner)) heldUntil = secondsAfter(clock.now(), leaseSeconds);
      else abort.abort(new TaskLost('another process has it'));
    } catch (error) {
      log.warn({ err: error, task: id }, 'the lease of a task could not be renewed');
      if (clock.now() > heldUntil) abort.abort(new TaskLost('the lease ran out'));
    }
  };

  const settle = async (error: unknown): Promise<void> => {
    if (error instanceof TaskLost || abort.signal.reason instanceof TaskLost) return;
    const retried = error instanceof Refusal && error.kind === 'unavailable';
    // A handler that heeded the signal may return or throw; either way the rest is for the next turn.
    if (abort.signal.aborted || retried) return store.release(id, owner, retried ? leaseSeconds : 0);
    if (error instanceof Refusal) {
      return store.end(id, owner, { code: error.code, details: error.details });
    }
    if (error) log.error({ err: error, task: id, kind: task.kind }, 'a task failed');
    await store.end(id, owner, error ? { code: 'task.fault', details: {} } : undefined);
  };

  const run = async () => {
    const beat = setInterval(() => void renew(), (leaseSeconds * 1000) / 3).unref();
    let failure: unknown;
    try {
      await inSpan(`task ${task.kind}`, { root: true }, async () =>
        kind.run({
          id,
          input: task.input,
          by: task.by,
          checkpoint: task.checkpoint ?? undefined,
          signal: abort.signal,
          report: (progress) =>
            db.transact(async () => {
              if (!(await store.progress(id, owner, progress))) throw new TaskLost('nothing more is noted for it');
            }),
        }),
      );
    } catch (error) {
      failure = error ?? new Error('thrown without an error');
    }
    clearInterval(beat);
    try {
      await settle(failure);
      const now = await store.find(id);
      if (!now || now.endedAt) await kind.ended?.(id, now?.state ?? 'done');
    } catch (error) {
      // The lease runs out and another turn sees to it.
      log.warn({ err: error, task: id }, 'the end of a turn could not be noted');
    }
  };

  return {
    ended: run(),
    abort: (reason: string) => abort.abort(reason === 'cancelled' ? new TaskLost(reason) : reason),
  };
}
