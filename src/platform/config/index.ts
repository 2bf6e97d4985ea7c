/**
 * What the operator has set, read once, checked whole and frozen. This is the only room that reads the environment.
 */
import { type Environment, loadSettings as load } from './load.ts';
import type { Settings } from './settings.ts';

export { ConfigurationFault, type Fault } from './fault.ts';
export { maskedSettings } from './mask.ts';
export type { Settings } from './settings.ts';

/**
 * @param from the environment and the directory where relative paths begin; default: this process's
 * @throws ConfigurationFault with every fault found
 */
export function loadSettings(from: { env?: Environment; cwd?: string } = {}): Settings {
  return load({ env: from.env ?? process.env, cwd: from.cwd ?? process.cwd() });
}
