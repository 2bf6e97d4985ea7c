import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

const root = join(import.meta.dirname, '../..');

export interface Told {
  code: number | null;
  stdout: string;
  stderr: string;
  /** What `--json` printed. */
  // biome-ignore lint/suspicious/noExplicitAny: each command prints its own
  json: any;
}

/** Runs `cardea …` as an operator does, in a process of its own beside the one that serves. */
export async function cardeaCommand(
  { env }: { env: Record<string, string> },
  args: string[],
  { input }: { input?: string } = {},
): Promise<Told> {
  const { PATH = '', HOME = '', TMPDIR = '' } = process.env;
  const child = spawn(process.execPath, ['src/cli.ts', ...args], {
    cwd: root,
    env: { PATH, HOME, ...(TMPDIR && { TMPDIR }), ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.end(input ?? '');
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  let json: unknown;
  if (args.includes('--json')) {
    try {
      json = JSON.parse(stdout);
    } catch {
      throw new Error(`cardea ${args.join(' ')} printed no JSON (${code}):\n${stdout}\n${stderr}`);
    }
  }
  return { code, stdout, stderr, json };
}

/** The same with `--json`, and it must do what it was told. */
export async function told(cardea: { env: Record<string, string> }, ...args: string[]): Promise<Told['json']> {
  const { code, json, stderr } = await cardeaCommand(cardea, [...args, '--json']);
  if (code !== 0) throw new Error(`cardea ${args.join(' ')}: ${code} ${JSON.stringify(json)}\n${stderr}`);
  return json;
}
