import type { Db } from '../db/index.ts';
import { type Bus, type Clock, type Log, newId, Refusal, secondsAfter } from '../index.ts';
import type { ItemResult, Task, TaskActor, TaskKind, TaskState } from './task.ts';
import { createTaskStore } from './task-store.ts';
import { createTurn } from './turn.ts';

/** Long work that outlives requests and processes: queued in the database, done by one process at a time, resumed after a crash. */
export interface Tasks {
  /** The same in every process, before {@link work}. */
  register<Input, Checkpoint>(kind: string, how: TaskKind<Input, Checkpoint>): void;
  /**
   * Queues it; in an open transaction, with it.
   * @param input kept as it is for as long as the task: no secret in the clear
   * @param id of its own, for when something had to be stored under it before
   * @throws Refusal `task.too_many` (limited) when as many of the kind wait or run as may
   */
  start(kind: string, input: unknown, by: TaskActor, id?: string): Promise<Task>;
  find(id: string): Promise<Task | undefined>;
  /** Newest first. @param filter.before an id: those older than it */
  list(filter?: { kind?: string; state?: TaskState; before?: string; limit?: number }): Promise<Task[]>;
  /** Nothing more is committed for it from now on; what was stays. @returns undefined when there is no such task */
  cancel(id: string): Promise<Task | undefined>;
  /**
   * Lets what was cancelled or has failed go on from where it was. What is done, waits or runs stays as it is.
   * @returns the task as it is now, or undefined when there is no such task
   */
  resume(id: string): Promise<Task | undefined>;
  /** How much of it is done, from 0 to 1; undefined while nobody can say. */
  progressOf(task: Task): number | undefined;
  /** By position. @param cursor the last position seen; default from the beginning */
  results(
    id: string,
    cursor?: { after?: number | undefined; limit?: number; outcome?: string | undefined },
  ): Promise<ItemResult[]>;
  /** Takes up the task in this process, or waits for whichever process has it, until it has ended. */
  finish(id: string): Promise<Task>;
  /** Sets this process to work on what is queued. */
  work(): void;
  /** Lets go of what runs here, for others to go on with. */
  stop(): Promise<void>;
  /** Removes tasks that ended a month ago. */
  tidy(): Promise<void>;
}

const topic = 'task';
const usuallyMost = 50;
const keptDays = 30;

/**
 * @param options.leaseSeconds after which a process that gave no sign of life has lost its task
 * @param options.pollSeconds between looks for work that no message told of
 */
export function createTasks(options: {
  db: Db;
  clock: Clock;
  log: Log;
  bus: Bus;
  leaseSeconds?: number;
  pollSeconds?: number;
}): Tasks {
  const { db, clock, log, bus, leaseSeconds = 30, pollSeconds = 5 } = options;
  const store = createTaskStore({ db, clock, leaseSeconds });
  // biome-ignore lint/suspicious/noExplicitAny: each kind has an input and a checkpoint of its own
  const kinds = new Map<string, TaskKind<any, any>>();
  const turns = new Map<string, { ended: Promise<void>; abort(reason: string): void }>();
  let poll: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;
  let again = false;
  let working = false;
  let stopped = false;

  const takeUp = (task: Task & { owner: string }): Promise<void> => {
    const turn = createTurn({ db, store, log, clock, leaseSeconds, kind: kinds.get(task.kind)!, task });
    turns.set(task.id, turn);
    return turn.ended.finally(() => {
      // One that was cancelled and resumed may have a new turn here already.
      if (turns.get(task.id) === turn) turns.delete(task.id);
      if (working) void look();
    });
  };

  const limits = () => [...kinds].map(([kind, { concurrency = 1 }]) => ({ kind, concurrency }));

  /** One look at a time; what is told meanwhile leads to one more. */
  const look = (): Promise<void> => {
    again = true;
    looking ??= (async () => {
      while (again && !stopped) {
        again = false;
        const task = await store.take(limits());
        if (!task) continue;
        again = true;
        void takeUp(task);
      }
    })()
      .catch((error: unknown) => log.warn({ err: error }, 'no look at the tasks'))
      .finally(() => {
        looking = undefined;
      });
    return looking;
  };

  const schedule = () => {
    poll = setTimeout(() => void look().finally(() => working && schedule()), pollSeconds * 1000).unref();
  };

  bus.subscribe(topic, (id) => {
    if (working) void look();
    // Whether it was this task that was cancelled is asked of the table: the message says only that something changed.
    const turn = turns.get(id);
    if (turn)
      void store.find(id).then(
        (task) => task?.state === 'cancelled' && turn.abort('cancelled'),
        () => undefined,
      );
  });

  return {
    register(kind, how) {
      if (kinds.has(kind)) throw new Error(`two kinds of tasks are called ${kind}`);
      kinds.set(kind, how);
    },
    start: (kind, input, by, id = newId()) =>
      db.transact(async () => {
        const task = await store.add({ id, kind, input, by, most: kinds.get(kind)?.most ?? usuallyMost });
        await bus.publish(topic, id);
        return task;
      }),
    find: store.find,
    list: store.list,
    async cancel(id) {
      const task = await db.transact(async () => {
        const cancelled = await store.cancel(id);
        if (cancelled) await bus.publish(topic, id);
        return cancelled ?? (await store.find(id));
      });
      if (task?.state !== 'cancelled') return task;
      turns.get(id)?.abort('cancelled');
      await kinds.get(task.kind)?.ended?.(id, 'cancelled');
      return task;
    },
    resume: (id) =>
      db.transact(async () => {
        const task = await store.resume(id);
        if (task) await bus.publish(topic, id);
        return task ?? (await store.find(id));
      }),
    progressOf(task) {
      if (task.state === 'done') return 1;
      if (task.total) return Math.min((task.done + task.failed) / task.total, 1);
      return kinds.get(task.kind)?.progress?.(task);
    },
    results: store.results,
    async finish(id) {
      for (;;) {
        const task = await store.find(id);
        if (!task) throw new Refusal('task.unknown', { kind: 'missing' });
        if (task.endedAt) return task;
        if (stopped) throw new Refusal('task.stopping', { kind: 'unavailable' });
        const taken = turns.has(id) ? undefined : await store.take(limits(), id);
        if (taken) await takeUp(taken);
        else await Promise.race([turns.get(id)?.ended, new Promise((done) => setTimeout(done, 250))].filter(Boolean));
      }
    },
    work() {
      working = true;
      void look();
      schedule();
    },
    async stop() {
      working = false;
      stopped = true;
      clearTimeout(poll);
      await looking;
      for (const turn of turns.values()) turn.abort('stopping');
      await Promise.all([...turns.values()].map(({ ended }) => ended));
    },
    async tidy() {
      const removed = await store.remove(secondsAfter(clock.now(), -keptDays * 24 * 60 * 60));
      if (removed > 0) log.info({ tasks: removed }, 'old tasks were removed');
    },
  };
}
