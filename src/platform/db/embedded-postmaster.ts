import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';

// Finding a server again that somebody started: this process, another one, or one that is long dead.

const windows = process.platform === 'win32';

/** A server as its `postmaster.pid` tells. */
export interface Postmaster {
  pid: number;
  port: number;
  /** A folder for Unix sockets, else the address. */
  host: string;
  ready: boolean;
}

export function readPostmaster(cluster: string): Postmaster | undefined {
  let lines: string[];
  try {
    lines = fs.readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return undefined;
  }
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  return { pid, port: Number(lines[3]), host: lines[4] || lines[5] || '', ready: lines[7]?.trim() === 'ready' };
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The server that runs on the cluster. A file left by one that died, its number perhaps taken by another program, is none. */
export function runningPostmaster(cluster: string): Postmaster | undefined {
  const found = readPostmaster(cluster);
  if (!found || !isAlive(found.pid)) return undefined;
  if (isPostgres(found.pid)) return found;
  // PostgreSQL itself would take that program for the server and refuse to start.
  fs.rmSync(join(cluster, 'postmaster.pid'), { force: true });
  return undefined;
}

function isPostgres(pid: number): boolean {
  if (windows) return true;
  try {
    return fs.readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('postgres');
  } catch {
    const asked = spawnSync('ps', ['-o', 'comm=', '-p', String(pid)], { encoding: 'utf8' });
    return asked.status !== 0 || asked.stdout.includes('postgres');
  }
}

/** For the moment in which the process ends and nothing can be waited for. */
export function signal(pid: number, name: 'SIGINT' | 'SIGQUIT'): void {
  try {
    // On Windows every signal kills at once.
    if (!windows) process.kill(pid, name);
  } catch {
    // It is gone already.
  }
}
