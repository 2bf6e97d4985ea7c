import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Load, Measured, Step } from './measured.ts';
import { forwarded } from './seeds.ts';

const script = new URL('wrk.lua', import.meta.url).pathname;

/** Whether it is on PATH. */
export const hasWrk = (): boolean => spawnSync('wrk', ['-v'], { stdio: 'ignore' }).error === undefined;

type Fixed = Extract<Step, { kind: 'fixed' }>;

/**
 * The same as autocannon's for requests that are known beforehand, at a tenth of its processor time: above some 20,000 a
 * second autocannon has no more to give on one core, and the generator would be what is measured.
 * @returns undefined without `wrk` on PATH, and for requests that hang on answers
 */
export async function wrk({ port, connections, seconds, steps }: Load): Promise<Measured | undefined> {
  if (!steps.every((step) => step.kind === 'fixed') || !hasWrk()) return undefined;
  const directory = await mkdtemp(join(tmpdir(), 'wrk-'));
  const file = join(directory, 'requests');
  try {
    // Only what all must contain is looked for.
    const markers = new Set(steps.map(({ marker = '' }) => marker));
    const marker = markers.size === 1 ? [...markers][0]! : '';
    await writeFile(file, [marker, ...steps.map(onTheWire)].map((text) => `${text}\0`).join(''));
    const args = ['-t1', `-c${connections}`, `-d${Math.ceil(seconds)}`, '--timeout', '10s', '-s', script];
    const { stdout } = await promisify(execFile)('wrk', [...args, `http://127.0.0.1:${port}`, '--', file]);
    return read(stdout);
  } finally {
    await rm(directory, { recursive: true });
  }
}

function onTheWire({ method, path, headers, body = '' }: Fixed): string {
  const all = { ...forwarded, ...headers, ...(method === 'POST' && { 'content-length': Buffer.byteLength(body) }) };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return [`${method} ${path} HTTP/1.1`, ...lines, '', body].join('\r\n');
}

/**
 * The last line is the script's: answers, microseconds, p50 and p99 in microseconds, wrong answers, connections that broke,
 * the first that was wrong.
 */
function read(said: string): Measured {
  const [answers, took, p50, p99, wrong, broken, ...sample] = said.trim().split('\n').at(-1)!.split(' ');
  const failures = Number(wrong) + Number(broken);
  const count = Number(answers) - Number(wrong);
  return {
    rate: count / (Number(took) / 1e6),
    p50: Number(p50) / 1000,
    p99: Number(p99) / 1000,
    count,
    failures,
    ...(failures > 0 && { sample: sample.join(' ') }),
  };
}
