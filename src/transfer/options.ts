import { z } from 'zod';
import { mapSchema, sourceNames } from './sources/index.ts';

/** How an import is to be done; kept with the task. Secrets among them are replaced by the ids they are sealed under. */
export const importOptions = z.strictObject({
  from: z.enum(sourceNames).default('cardea'),
  map: mapSchema.optional(),
  delimiter: z
    .string()
    .regex(/^[,;|\t]$/)
    .optional(),
  /** Says what would be done and does nothing. */
  dryRun: z.boolean().default(false),
  /** What becomes of who is here already and differs. */
  existing: z.enum(['skip', 'update']).default('skip'),
  /** Whether rows may make administrators. */
  administrators: z.boolean().default(false),
  /** Whether groups that are not here are made. */
  createGroups: z.boolean().default(false),
  /** Whether what an export says of custom fields, permissions, roles, organisations and groups is made as well. */
  definitions: z.boolean().default(false),
  /** Whether addresses of which a record does not say so count as proved. */
  verified: z.boolean().default(false),
  /** Whether every row is reported, or those only that failed or need a look. */
  report: z.enum(['all', 'problems']).default('all'),
  /** Of Firebase's project: signer key and salt separator in base64. */
  firebase: z
    .strictObject({
      signerKey: z.base64().min(1).max(400),
      saltSeparator: z.base64().max(100),
      rounds: z.int().min(1).max(64),
      memCost: z.int().min(1).max(31),
    })
    .optional(),
  /** Behind every bcrypt password. */
  pepper: z.string().min(1).max(1024).optional(),
});

export type ImportOptions = z.input<typeof importOptions>;

/** As the task keeps it. */
export interface ImportInput extends Omit<z.output<typeof importOptions>, 'firebase' | 'pepper'> {
  firebaseKeyId: string | undefined;
  pepperId: string | undefined;
  /** Bytes of the file. */
  size: number;
}

/** Where an import stands. */
export interface ImportCheckpoint {
  /** The byte behind the last record that was done, and its line. */
  offset: number;
  line: number;
  /** Of a CSV file. */
  columns?: string[] | undefined;
  /** Ids of the keys of an export, and what they are here. */
  keys?: Record<string, string> | undefined;
  /** Whether the recovery codes of an export mean something here. */
  ownCodes?: boolean | undefined;
  /** Of an export: whether its last line was there. */
  whole?: boolean | undefined;
}
