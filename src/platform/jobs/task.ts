export type TaskState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled';

export interface TaskActor {
  kind: 'user' | 'administrator' | 'client' | 'system' | 'anonymous';
  id?: string | undefined;
}

export interface Task {
  id: string;
  kind: string;
  // biome-ignore lint/suspicious/noExplicitAny: its kind knows
  input: any;
  state: TaskState;
  /** Absent until it is known. */
  total: number | undefined;
  /** Items that went well, in whatever way. */
  done: number;
  failed: number;
  /** How many items had which outcome. */
  tally: Record<string, number>;
  // biome-ignore lint/suspicious/noExplicitAny: its kind knows
  checkpoint: any;
  /** Why it failed as a whole. */
  error: { code: string; details: Record<string, unknown> } | undefined;
  by: TaskActor;
  createdAt: Date;
  startedAt: Date | undefined;
  updatedAt: Date;
  endedAt: Date | undefined;
}

/** What became of one item. */
export interface ItemResult {
  /** Its own within the task: a line, an index. */
  position: number;
  /** `failed`, or what went well: `done`, `created`, … */
  outcome: string;
  /** Why, stable; for what failed or is remarkable. */
  code?: string | undefined;
  /** Which one, such as an id; no address. */
  item?: string | undefined;
  details?: Record<string, unknown> | undefined;
}

/** What a handler works with. It must be able to go on from the checkpoint, in another process. */
export interface TaskRun<Input, Checkpoint> {
  id: string;
  input: Input;
  /** Who asked for it, for the journal. */
  by: TaskActor;
  /** Of the last {@link report} that was committed; undefined at the very beginning. */
  checkpoint: Checkpoint | undefined;
  /**
   * Notes results and how far the work has come. Called inside `db.transact` it commits with the work it tells of, or
   * neither does: what another process took over, and what was cancelled, throws here and is rolled back.
   */
  report(progress: Progress<Checkpoint>): Promise<void>;
  /** Aborted when the process stops, the task was cancelled or another process has it. Heed it between items. */
  signal: AbortSignal;
}

export interface Progress<Checkpoint> {
  /** Each with a position of its own; a position that was told before is kept as it was. */
  results?: readonly ItemResult[];
  /** Items that went well and are not worth a row each, by outcome. */
  counted?: Record<string, number>;
  checkpoint: Checkpoint;
  /** How many items there are, once it is known. */
  total?: number | undefined;
}

export interface TaskKind<Input, Checkpoint> {
  /** How many of this kind run at once, in all processes together; default 1. */
  concurrency?: number;
  /** How many may wait or run; default 50. One more is refused: what nobody can get to soon is better asked for later. */
  most?: number;
  /**
   * Does the work. A Refusal ends the task as failed with its code, but for one of kind `unavailable`, after which it is
   * tried again. Returning early when the signal is aborted leaves the rest to the next turn.
   */
  run(run: TaskRun<Input, Checkpoint>): Promise<void>;
  /** How much of it is done, from 0 to 1, where items are not counted beforehand. */
  progress?(task: Task): number | undefined;
  /**
   * After the task was done, cancelled or has failed, perhaps more than once: to clear away what only it needed. Only
   * what is `done` cannot be resumed.
   */
  ended?(id: string, state: TaskState): Promise<void>;
}
