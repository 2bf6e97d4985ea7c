import type { ParseArgsConfig } from 'node:util';
import type { App } from '../app.ts';
import type { Settings } from '../platform/config/index.ts';
import type { Log } from '../platform/index.ts';

export type Values = Record<string, string | boolean | string[] | undefined>;

/** What a command works with; the app is built only for those that ask for it. */
export interface Context {
  settings: Settings;
  app(): Promise<App>;
  /** Where the database is, for what needs no more; starts the embedded one if there is no other. */
  database(): Promise<{ url: string; log: Log }>;
  /** Positional arguments after the command's own words. */
  args: string[];
  values: Values;
}

export interface Command {
  /** As typed: `client add`. */
  name: string;
  /** Its arguments, for the help. */
  usage: string;
  about: string;
  options?: NonNullable<ParseArgsConfig['options']>;
  /** @returns what `--json` prints, the lines for people, and `isBad` where what was looked at is not as it should be */
  run(context: Context): Promise<{ result: unknown; lines: string[]; isBad?: boolean }>;
}

/** Bad use of a command: shown with its usage, exit code 2. */
export class Usage extends Error {
  override readonly name = 'Usage';
}

export const by = { actor: { kind: 'system' as const }, reason: 'command line' };

export function needed(value: string | undefined, what: string): string {
  if (!value) throw new Usage(`${what} is missing`);
  return value;
}

export const list = (value: Values[string]): string[] | undefined =>
  value === undefined || typeof value === 'boolean' ? undefined : [value].flat();
