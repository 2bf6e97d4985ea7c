import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { forwarded } from './seeds.ts';

const root = new URL('../..', import.meta.url).pathname;

export interface Running {
  pid: number;
  /** All it said, for when it fails. */
  said(): string;
  stop(): Promise<void>;
}

/** Starts a program with nothing of our surroundings but what any program needs. */
export function start(program: string, args: string[], env: Record<string, string> = {}, cwd = root): Running {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(program, args, { cwd, env: { PATH, HOME, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.once('exit', (code, signal) => {
    text += `\n(ended with ${code ?? signal})`;
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text = (text + chunk).slice(-20_000);
    });
  }
  return { pid: child.pid!, said: () => text, stop: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await gone;
  clearTimeout(late);
}

/** A port that nobody has now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Asks every few milliseconds until something answers 200. @returns how many milliseconds that took */
export async function answered(port: number, path: string, running: Running, patience = 60_000): Promise<number> {
  const from = performance.now();
  while (performance.now() - from < patience) {
    if (!alive(running.pid)) break;
    if ((await status(port, path)) === 200) return performance.now() - from;
    await sleep(3);
  }
  throw new Error(`nothing answers at ${port}${path}:\n${running.said()}`);
}

const status = (port: number, path: string) =>
  new Promise<number>((resolve) => {
    const asked = get({ host: '127.0.0.1', port, path, headers: forwarded, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
    asked.on('error', () => resolve(0));
  });

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const proc = (pid: number, file: string) => readFileSync(`/proc/${pid}/${file}`, 'utf8');
/** What stands behind the name in /proc/<pid>/stat; the name may hold anything. */
const stat = (pid: number) =>
  proc(pid, 'stat')
    .replace(/^.*\) /s, '')
    .split(' ');

/** The process and all that it started. Linux only, else itself. */
export function family(pid: number): number[] {
  try {
    const parents = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => {
        try {
          return [{ pid: Number(name), parent: Number(stat(Number(name))[1]) }];
        } catch {
          return [];
        }
      });
    const all = [pid];
    for (const one of all) all.push(...parents.filter(({ parent }) => parent === one).map((child) => child.pid));
    return all;
  } catch {
    return [pid];
  }
}

/** Processor time that the processes have used, in seconds; undefined where there is no /proc. */
export function processorSeconds(pids: number[]): number | undefined {
  try {
    return pids.reduce((sum, pid) => sum + (Number(stat(pid)[11]) + Number(stat(pid)[12])) / 100, 0);
  } catch {
    return undefined;
  }
}

/** Resident and proportional memory of a process in bytes. */
export function memoryOf(pid: number): { rss: number; pss: number } | undefined {
  try {
    const text = proc(pid, 'smaps_rollup');
    const of = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) * 1024;
    return { rss: of('Rss'), pss: of('Pss') };
  } catch {
    return undefined;
  }
}
