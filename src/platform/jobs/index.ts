/** Periodic work, done by one process at a time, however many run; and long work that is queued once and done once. */
export { createJobs, type Jobs } from './jobs.ts';
export type { ItemResult, Progress, Task, TaskActor, TaskKind, TaskRun, TaskState } from './task.ts';
export { createTasks, type Tasks } from './tasks.ts';
