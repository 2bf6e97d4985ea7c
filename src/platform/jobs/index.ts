/** Periodic work, done by one process at a time, however many run. */
export { createJobs, type Jobs } from './jobs.ts';
