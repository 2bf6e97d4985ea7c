/**
 * People brought in from files and other systems, and taken out: imports as tasks, with foreign hashes, and exports that
 * an import takes back. Who may do it, and how it is asked for, is the doors' business; how a hash is verified is
 * `credentials`'; what an account is, `users`'.
 */
export type { ExportOptions } from './export.ts';
export { type ImportOptions, importOptions } from './options.ts';
export { sourceNames } from './sources/index.ts';
export { createTransfer, importKind, readOptions, type Transfer } from './transfer.ts';
export { createOldSystem, type OldSystemSettings } from './trickle/old-system.ts';
export { createTrickle, type Trickle } from './trickle/trickle.ts';
export type { Upload, Uploads } from './uploads.ts';
