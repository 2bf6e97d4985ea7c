import type { Db } from '../db/index.ts';
import { type Clock, isId, newId, Refusal, secondsAfter } from '../index.ts';
import type { ItemResult, Progress, Task, TaskActor, TaskState } from './task.ts';

/** A turn that crashes this often without coming further takes its process with it: it is given up. */
const mostTakeOvers = 5;

interface Row {
  id: string;
  kind: string;
  input: unknown;
  state: TaskState;
  total: string | null;
  done: string;
  failed: string;
  tally: Record<string, number>;
  checkpoint: unknown;
  error: Task['error'] | null;
  started_by: TaskActor;
  owner: string | null;
  created_at: string;
  started_at: string | null;
  updated_at: string;
  ended_at: string | null;
}

const moment = (text: string | null): Date | undefined => (text === null ? undefined : new Date(text));

const taskOf = (row: Row): Task => ({
  id: row.id,
  kind: row.kind,
  input: row.input,
  state: row.state,
  total: row.total === null ? undefined : Number(row.total),
  done: Number(row.done),
  failed: Number(row.failed),
  tally: row.tally,
  checkpoint: row.checkpoint,
  error: row.error ?? undefined,
  by: row.started_by,
  createdAt: new Date(row.created_at),
  startedAt: moment(row.started_at),
  updatedAt: new Date(row.updated_at),
  endedAt: moment(row.ended_at),
});

export type TaskStore = ReturnType<typeof createTaskStore>;

/** The tables `task` and `task_result`. Every statement of a turn names its owner. */
export function createTaskStore({ db, clock, leaseSeconds }: { db: Db; clock: Clock; leaseSeconds: number }) {
  const first = async (sql: string, params: unknown[]): Promise<Task | undefined> => {
    const [row] = await db.query<Row>(sql, params);
    return row && taskOf(row);
  };

  /** A running task whose lease has run out, if its turns keep dying without coming further. */
  const giveUp = (now: Date) =>
    db.query(
      `update task set state = 'failed', owner = null, lease_until = null, ended_at = $1, updated_at = $1,
           error = '{"code":"task.crashed","details":{}}'
         where state = 'running' and lease_until <= $1 and take_overs >= $2`,
      [now, mostTakeOvers],
    );

  return {
    /** In the open transaction. @throws Refusal `task.too_many` (limited) when so many of the kind wait or run */
    async add(fresh: { id: string; kind: string; input: unknown; by: TaskActor; most: number }): Promise<Task> {
      const { id, kind, input, by, most } = fresh;
      // Counted one after the other, or sixty at once would all find room.
      await db.lock(`tasks:${kind}`);
      const [row] = await db.query<{ count: number }>(
        `select count(*)::int as count from task where kind = $1 and state in ('queued', 'running')`,
        [kind],
      );
      if (row!.count >= most) {
        throw new Refusal('task.too_many', { kind: 'limited', details: { most }, retryAfter: 60 });
      }
      const task = await first(
        `insert into task (id, kind, input, state, started_by, created_at, updated_at)
           values ($1, $2, $3, 'queued', $4, $5, $5) returning *`,
        [id, kind, JSON.stringify(input ?? null), JSON.stringify(by), clock.now()],
      );
      return task!;
    },

    find: async (id: string): Promise<Task | undefined> =>
      isId(id) ? first('select * from task where id = $1', [id]) : undefined,

    async list(filter: { kind?: string; state?: TaskState; before?: string; limit?: number } = {}): Promise<Task[]> {
      const { kind = null, state = null, before, limit = 50 } = filter;
      const rows = await db.query<Row>(
        `select * from task where ($1::text is null or kind = $1) and ($2::text is null or state = $2)
           and ($3::uuid is null or id < $3) order by id desc limit $4`,
        [kind, state, before && isId(before) ? before : null, Math.min(limit, 200)],
      );
      return rows.map(taskOf);
    },

    async results(
      id: string,
      cursor: { after?: number | undefined; limit?: number; outcome?: string | undefined } = {},
    ): Promise<ItemResult[]> {
      const { after = -1, limit = 100, outcome } = cursor;
      if (!isId(id)) return [];
      // The outcome stands in the text where there is an index for it.
      const which =
        outcome === 'failed' ? `outcome = 'failed' and $4::text is not null` : '($4::text is null or outcome = $4)';
      const rows = await db.query<{
        position: string;
        outcome: string;
        code: string | null;
        item: string | null;
        details: Record<string, unknown> | null;
      }>(
        `select position, outcome, code, item, details from task_result
           where task_id = $1 and position > $2 and ${which} order by position limit $3`,
        [id, after, Math.min(limit, 10_000), outcome ?? null],
      );
      return rows.map((row) => ({
        position: Number(row.position),
        outcome: row.outcome,
        ...(row.code === null ? {} : { code: row.code }),
        ...(row.item === null ? {} : { item: row.item }),
        ...(row.details === null ? {} : { details: row.details }),
      }));
    },

    /** Gives the next task that may run to a new owner. @param id that one and no other */
    take: (kinds: { kind: string; concurrency: number }[], id?: string) =>
      db.transact(async (): Promise<(Task & { owner: string }) | undefined> => {
        const now = clock.now();
        // One taker at a time, so that the count of what runs holds until the choice is made.
        await db.lock('tasks');
        await giveUp(now);
        const owner = newId();
        const [row] = await db.query<Row>(
          `with kinds as (select * from unnest($1::text[], $2::int[]) as k (kind, concurrency)),
             running as (select kind, count(*) as count from task where state = 'running' and lease_until > $3 group by kind),
             next as (
               select id from task join kinds using (kind) left join running using (kind)
               where (state = 'queued' and coalesce(lease_until, $3) <= $3 or state = 'running' and lease_until <= $3)
                 and coalesce(running.count, 0) < kinds.concurrency and ($5::uuid is null or id = $5)
               order by created_at, id limit 1)
           update task set state = 'running', owner = $4, lease_until = $6, started_at = coalesce(started_at, $3),
             updated_at = $3, take_overs = take_overs + case when state = 'running' then 1 else 0 end
           where id = (select id from next) returning *`,
          [
            kinds.map(({ kind }) => kind),
            kinds.map(({ concurrency }) => concurrency),
            now,
            owner,
            id ?? null,
            secondsAfter(now, leaseSeconds),
          ],
        );
        return row && { ...taskOf(row), owner };
      }),

    /** @returns whether the task is still the owner's */
    async renew(id: string, owner: string): Promise<boolean> {
      const rows = await db.query(
        `update task set lease_until = $3 where id = $1 and owner = $2 and state = 'running' returning 1`,
        [id, owner, secondsAfter(clock.now(), leaseSeconds)],
      );
      return rows.length === 1;
    },

    /** In the open transaction. @returns whether the task is still the owner's */
    async progress(id: string, owner: string, told: Progress<unknown>): Promise<boolean> {
      const { results = [], counted = {}, checkpoint, total } = told;
      const now = clock.now();
      const [row] = await db.query<{ tally: Record<string, number> }>(
        `select tally from task where id = $1 and owner = $2 and state = 'running' for update`,
        [id, owner],
      );
      if (!row) return false;
      const fresh = await db.query<{ outcome: string }>(
        `insert into task_result (task_id, position, outcome, code, item, details)
           select $1, r.position, r.outcome, r.code, r.item, r.details
           from jsonb_to_recordset($2) as r (position bigint, outcome text, code text, item text, details jsonb)
           on conflict do nothing returning outcome`,
        [id, JSON.stringify(results)],
      );
      const tally = { ...row.tally };
      for (const { outcome } of fresh) tally[outcome] = (tally[outcome] ?? 0) + 1;
      for (const [outcome, count] of Object.entries(counted)) tally[outcome] = (tally[outcome] ?? 0) + count;
      const { failed = 0, ...well } = tally;
      await db.query(
        `update task set tally = $2, failed = $3, done = $4, checkpoint = $5, total = coalesce($6, total),
           lease_until = $7, updated_at = $8, take_overs = 0 where id = $1`,
        [
          id,
          JSON.stringify(tally),
          failed,
          Object.values(well).reduce((sum, count) => sum + count, 0),
          JSON.stringify(checkpoint ?? null),
          total ?? null,
          secondsAfter(now, leaseSeconds),
          now,
        ],
      );
      return true;
    },

    /** Back into the queue, with its checkpoint. @param waitSeconds before it is tried again */
    async release(id: string, owner: string, waitSeconds: number): Promise<void> {
      await db.query(
        `update task set state = 'queued', owner = null, lease_until = $3
           where id = $1 and owner = $2 and state = 'running'`,
        [id, owner, waitSeconds > 0 ? secondsAfter(clock.now(), waitSeconds) : null],
      );
    },

    async end(id: string, owner: string, error: Task['error']): Promise<void> {
      await db.query(
        `update task set state = $3, error = $4, owner = null, lease_until = null, ended_at = $5, updated_at = $5
           where id = $1 and owner = $2 and state = 'running'`,
        [id, owner, error ? 'failed' : 'done', error ? JSON.stringify(error) : null, clock.now()],
      );
    },

    /** @returns undefined when it had ended before, or there is none */
    cancel: async (id: string): Promise<Task | undefined> =>
      isId(id)
        ? first(
            `update task set state = 'cancelled', owner = null, lease_until = null, ended_at = $2, updated_at = $2
               where id = $1 and state in ('queued', 'running') returning *`,
            [id, clock.now()],
          )
        : undefined,

    /** Back into the queue, from its checkpoint. @returns undefined when it had not been cancelled nor failed */
    resume: async (id: string): Promise<Task | undefined> =>
      isId(id)
        ? first(
            `update task set state = 'queued', error = null, owner = null, lease_until = null, ended_at = null,
               take_overs = 0, updated_at = $2
               where id = $1 and state in ('cancelled', 'failed') returning *`,
            [id, clock.now()],
          )
        : undefined,

    /** With their results, in pieces: a million rows in one statement would outlast what the server is given to answer. */
    async remove(endedBefore: Date): Promise<number> {
      const piece = `delete from task_result where ctid = any(array(
        select r.ctid from task_result r join task on task.id = r.task_id where task.ended_at < $1 limit 10000)) returning 1`;
      while ((await db.query(piece, [endedBefore])).length > 0);
      return (await db.query('delete from task where ended_at < $1 returning 1', [endedBefore])).length;
    },
  };
}
