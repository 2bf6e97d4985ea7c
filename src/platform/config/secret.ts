import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Fault } from './fault.ts';

/** Marks a secret that was made for development, so that production knows it wherever it turns up. */
export const developmentMark = 'development-';

/** The secret of a development machine: made once into the data directory, readable by its owner only. */
export function ownSecret(data: string, faults: Fault[]): string | undefined {
  const file = join(data, 'secret');
  try {
    mkdirSync(data, { recursive: true });
    try {
      // Exclusive: of two that start at once, one makes it and the other reads it.
      writeFileSync(file, developmentMark + randomBytes(36).toString('base64url'), { mode: 0o600, flag: 'wx' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    faults.push({
      setting: 'CARDEA_DATA',
      problem: `is ${data}, where no secret can be kept (${(error as NodeJS.ErrnoException).code})`,
      right: 'a directory that this user may write, or a secret in CARDEA_SECRET',
    });
    return developmentMark + randomBytes(36).toString('base64url');
  }
}
