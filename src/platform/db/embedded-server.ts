import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseFault, type Owner, type Place } from './embedded-place.ts';
import { isAlive, type Postmaster, readPostmaster, signal } from './embedded-postmaster.ts';

// One PostgreSQL server: its files made, started, stopped.

const windows = process.platform === 'win32';
const logLimit = 10 * 1024 * 1024;
/** The shortest of the platforms' limits on a socket's path (macOS 104, Linux 108, with the closing zero byte). */
const socketPathLimit = 103;

/** Makes the files of a new cluster beside their place and renames them: an interrupted start leaves no half of one. */
export function createCluster({ bin, cluster, owner }: Place, superuser: string, passwordFile: string): void {
  if (fs.existsSync(join(cluster, 'PG_VERSION'))) return;
  const home = dirname(cluster);
  for (const name of fs.readdirSync(home)) {
    const [, pid] = /^postgres\.new-(\d+)$/.exec(name) ?? [];
    if (pid && (Number(pid) === process.pid || !isAlive(Number(pid)))) fs.rmSync(join(home, name), { recursive: true });
  }
  const draft = join(home, `postgres.new-${process.pid}`);
  fs.mkdirSync(draft, { mode: 0o700 });
  if (owner) fs.chownSync(draft, owner.uid, owner.gid);
  if (windows && !fs.existsSync(passwordFile)) {
    fs.writeFileSync(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600 });
  }
  const access = windows
    ? ['--auth=scram-sha-256', `--pwfile=${passwordFile}`]
    : // Only the owner of the files and root come through the socket, and nothing comes through the network.
      ['--auth-local=trust', '--auth-host=reject'];
  const locale = ['--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'];
  const made = spawnSync(
    join(bin, 'initdb'),
    ['-D', draft, '-U', superuser, ...access, ...locale, '--no-instructions', '--set=timezone=UTC'],
    { ...asOwner(owner), cwd: draft, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
  );
  if (made.status !== 0) {
    fs.rmSync(draft, { recursive: true });
    const reason = made.error?.message ?? `${made.stderr}`.trim();
    throw new DatabaseFault('database.unsupported', `The embedded PostgreSQL could not make its files: ${reason}`);
  }
  try {
    fs.renameSync(draft, cluster);
  } catch (error) {
    fs.rmSync(draft, { recursive: true });
    if (!fs.existsSync(join(cluster, 'PG_VERSION'))) throw error;
  }
}

/** Starts the server in a process group of its own, where the terminal's Ctrl-C does not reach it. */
export async function startServer(
  place: Place,
  logFile: string,
  settings: Record<string, string>,
): Promise<ChildProcess> {
  const { bin, cluster, owner } = place;
  const where: Record<string, string> = windows
    ? { listen_addresses: '127.0.0.1', port: String(await freePort()) }
    : { listen_addresses: '', unix_socket_directories: socketFolder(cluster, owner), unix_socket_permissions: '0700' };
  const all: Record<string, string> = {
    ...where,
    max_connections: '100',
    shared_buffers: '128MB',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_min_messages: 'warning',
    // What people typed stands in statements and in the details of errors: neither belongs in a log.
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
    ...settings,
  };
  limitLog(logFile);
  const log = fs.openSync(logFile, 'a', 0o600);
  try {
    const child = spawn(
      join(bin, 'postgres'),
      ['-D', cluster, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      { ...asOwner(owner), cwd: cluster, detached: true, windowsHide: true, stdio: ['ignore', log, log] },
    );
    child.unref();
    child.on('error', () => {});
    return child;
  } finally {
    fs.closeSync(log);
  }
}

/** Waits until the server accepts connections, whoever started it. */
export async function whenReady(cluster: string, child: ChildProcess, logFile: string): Promise<Postmaster> {
  // A crash is healed by replaying the log, which may take a while.
  for (let waited = 0; waited < 60_000; waited += 10) {
    const found = readPostmaster(cluster);
    if (found?.ready && isAlive(found.pid)) return found;
    // Another process may have started it in the same moment: then ours has ended, and theirs will be ready.
    const ended = child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
    if (ended && !(found && found.pid !== child.pid && isAlive(found.pid))) break;
    await sleep(10);
  }
  const tail = fs.readFileSync(logFile, 'utf8').trim().split('\n').slice(-5).join('\n');
  throw new DatabaseFault('database.failed', `The embedded PostgreSQL did not start (${logFile}):\n${tail}`);
}

/** Fast shutdown: open transactions are rolled back, the files are left clean. */
export async function stopServer({ bin, cluster, owner }: Place, pid: number): Promise<void> {
  const host = readPostmaster(cluster)?.host;
  const gone = () => !isAlive(pid) || readPostmaster(cluster)?.pid !== pid;
  signal(pid, 'SIGINT');
  if (windows) {
    const pgCtl = join(bin, 'pg_ctl');
    spawnSync(pgCtl, ['stop', '-D', cluster, '-m', 'fast', '-w'], { ...asOwner(owner), stdio: 'ignore' });
  }
  for (let waited = 0; waited < 30_000 && !gone(); waited += 10) await sleep(10);
  if (!gone()) signal(pid, 'SIGQUIT');
  if (host && host !== cluster) removeEmpty(host);
}

/** Keeps one old log beside the new one. The server appends, so that cutting the file under it is safe. */
export function limitLog(file: string): void {
  if ((fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0) < logLimit) return;
  fs.copyFileSync(file, `${file}.1`);
  fs.truncateSync(file);
}

/** Nothing of our own environment goes to the server: there are secrets in it. */
function asOwner(owner: Owner | undefined) {
  const env = windows ? {} : { env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' } };
  return owner ? { uid: owner.uid, gid: owner.gid, ...env } : env;
}

function socketFolder(cluster: string, owner: Owner | undefined): string {
  if (Buffer.byteLength(join(cluster, '.s.PGSQL.5432')) <= socketPathLimit && !cluster.includes(',')) return cluster;
  const folder = fs.mkdtempSync(join(tmpdir(), 'cardea-socket-'));
  if (owner) fs.chownSync(folder, owner.uid, owner.gid);
  return folder;
}

/** Only ever a folder of our own for a socket, and only when the server has taken its socket out of it. */
function removeEmpty(folder: string): void {
  try {
    fs.rmdirSync(folder);
  } catch {
    // On Windows it is an address and no folder; a socket may be left after a crash.
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
