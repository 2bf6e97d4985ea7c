/**
 * The operator's commands: one thing of what the bootstrap file does at a time, and the housekeeping of keys, schema
 * and settings. Everything goes through the rooms that the pages use; nothing here knows the tables.
 */
export { run } from './run.ts';
