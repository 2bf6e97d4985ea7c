import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../log.ts';
import { startEmbedded } from './embedded.ts';
import { isAlive, readPostmaster } from './embedded-postmaster.ts';
import { limitLog } from './embedded-server.ts';

interface Told {
  url: string;
  reused: boolean;
  ms: number;
  code: string;
  message: string;
  pid: number;
}

const holderScript = join(import.meta.dirname, '../../../test/support/embedded-holder.ts');
const isRoot = process.getuid?.() === 0;
const nobody = { uid: 65_534, gid: 65_534 };

/** A data directory that was started and stopped once: what costs time is done once for all that only go on from there. */
let prepared: string;
let home: string;
let dataDir: string;
let processes: ChildProcess[];

beforeAll(async () => {
  prepared = fs.mkdtempSync(join(tmpdir(), 'cardea-prepared-'));
  fs.chmodSync(prepared, 0o711);
  const { stop } = await startEmbedded({ dataDir: prepared, log: silentLog });
  await stop();
});

afterAll(() => fs.rmSync(prepared, { recursive: true, force: true }));

/** Copies it, owners and all; the programs, where they had to be copied beside it, are only linked. */
function usePrepared(): void {
  fs.mkdirSync(dataDir);
  for (const name of fs.readdirSync(prepared)) {
    if (name === 'postgres') execFileSync('cp', ['-a', join(prepared, name), join(dataDir, name)]);
    else if (/^postgres-\d/.test(name)) fs.symlinkSync(join(prepared, name), join(dataDir, name));
  }
}

beforeEach(() => {
  home = fs.mkdtempSync(join(tmpdir(), 'cardea-embedded-'));
  fs.chmodSync(home, 0o711);
  dataDir = join(home, 'var');
  processes = [];
});

afterEach(async () => {
  for (const child of processes) child.kill('SIGKILL');
  // A process that was killed leaves its server running: that is what most of this is about.
  const left = readPostmaster(join(dataDir, 'postgres'));
  if (left) await until(() => killed(left.pid));
  const link = fs.lstatSync(join(dataDir, 'postgres'), { throwIfNoEntry: false });
  if (link?.isSymbolicLink()) {
    fs.rmSync(join(fs.readlinkSync(join(dataDir, 'postgres')), '..'), { recursive: true, force: true });
  }
  fs.rmSync(home, { recursive: true, force: true });
});

const killed = (pid: number) => {
  if (isAlive(pid)) process.kill(pid, 'SIGQUIT');
  return !isAlive(pid);
};

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let waited = 0; !(await condition()); waited += 20) {
    if (waited > 10_000) throw new Error('it did not come true');
    await sleep(20);
  }
}

/** Starts the database in a process of its own. */
async function holder(how: 'hold' | 'stop' | 'share' | 'crash', as: { uid?: number; gid?: number } = {}) {
  const child = spawn(process.execPath, [holderScript, dataDir, how], {
    ...as,
    cwd: home,
    env: {},
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  processes.push(child);
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  for await (const line of createInterface({ input: child.stdout })) {
    return { child, ended, told: JSON.parse(line) as Told };
  }
  throw new Error(`the holder said nothing and ended with ${await ended}`);
}

async function ask<Row>(url: string, sql: string): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows as Row[];
  } finally {
    await client.end();
  }
}

const start = () => startEmbedded({ dataDir, log: silentLog });

describe('the embedded database', () => {
  it('starts from nothing in seconds and again in less than one', async () => {
    const before = performance.now();
    const first = await start();
    expect(performance.now() - before).toBeLessThan(15_000);
    await ask(first.url, 'create table kept (word text)');
    await ask(first.url, `insert into kept values ('still here')`);
    await first.stop();
    const again = performance.now();
    const second = await start();
    expect(performance.now() - again).toBeLessThan(3_000);
    expect([first.reused, second.reused]).toEqual([false, false]);
    expect(await ask(second.url, 'select word from kept')).toEqual([{ word: 'still here' }]);
    await second.stop();
  });

  it('is UTF-8 with a collation that no system library can change, in UTC, and durable', async () => {
    usePrepared();
    const { url, stop } = await start();
    const [database] = await ask(
      url,
      `select pg_encoding_to_char(encoding) as encoding, datlocprovider as provider, datlocale as locale
         from pg_database where datname = current_database()`,
    );
    expect(database).toEqual({ encoding: 'UTF8', provider: 'b', locale: 'C.UTF-8' });
    const settings = await ask<{ name: string; setting: string }>(
      url,
      `select name, setting from pg_settings where name in ('TimeZone', 'fsync', 'synchronous_commit', 'data_checksums')`,
    );
    expect(Object.fromEntries(settings.map(({ name, setting }) => [name, setting]))).toEqual({
      TimeZone: 'UTC',
      fsync: 'on',
      synchronous_commit: 'on',
      data_checksums: 'on',
    });
    await stop();
  });

  it('listens on a socket that only its owner can open, and on no port', async () => {
    usePrepared();
    const { url, stop } = await start();
    const [settings] = await ask<{ tcp: string; mode: string }>(
      url,
      `select current_setting('listen_addresses') as tcp, current_setting('unix_socket_permissions') as mode`,
    );
    expect(settings).toEqual({ tcp: '', mode: '0700' });
    expect(fs.statSync(join(dataDir, 'postgres')).mode & 0o777).toBe(0o700);
    await stop();
  });

  it('writes nothing that people typed into its log', async () => {
    usePrepared();
    const { url, stop } = await start();
    await ask(url, 'create table person (email text unique)');
    await ask(url, `insert into person values ('ada@example.com')`);
    await expect(ask(url, `insert into person values ('ada@example.com')`)).rejects.toThrow();
    await stop();
    const log = fs.readFileSync(join(dataDir, 'postgres.log'), 'utf8');
    expect(log).toContain('duplicate key');
    expect(log).not.toContain('ada@');
  });

  it('keeps its log small', () => {
    const log = join(home, 'postgres.log');
    fs.writeFileSync(log, Buffer.alloc(11 * 1024 * 1024, 'x'));
    limitLog(log);
    expect(fs.statSync(log).size).toBe(0);
    expect(fs.statSync(`${log}.1`).size).toBe(11 * 1024 * 1024);
  });

  it('uses a short folder for its socket when the path of the data directory is too long for one', async () => {
    dataDir = join(home, 'a'.repeat(60), 'b'.repeat(60));
    const { url, stop } = await start();
    const folder = decodeURIComponent(new URL(url).hostname);
    expect(folder.startsWith(join(tmpdir(), 'cardea-socket-'))).toBe(true);
    expect(fs.statSync(folder).mode & 0o777).toBe(0o700);
    expect(await ask(url, 'select 1 as one')).toEqual([{ one: 1 }]);
    await stop();
    expect(fs.existsSync(folder)).toBe(false);
    expect(fs.existsSync(join(dataDir, 'postgres/PG_VERSION'))).toBe(true);
  });

  it('is brought up again when it is killed under us', async () => {
    usePrepared();
    const { url, stop } = await start();
    const { pid } = readPostmaster(join(dataDir, 'postgres'))!;
    process.kill(pid, 'SIGKILL');
    await until(() =>
      ask(url, 'select 1').then(
        () => readPostmaster(join(dataDir, 'postgres'))?.pid !== pid,
        () => false,
      ),
    );
    await stop();
    expect(readPostmaster(join(dataDir, 'postgres'))).toBeUndefined();
  });
});

describe('one Cardea at a time', () => {
  it('a second one on the same directory is refused and told which process has it', async () => {
    usePrepared();
    const first = await holder('hold');
    const second = await holder('hold');
    expect(second.told).toMatchObject({ code: 'database.taken', pid: first.child.pid });
    expect(second.told.message).toContain(`process ${first.child.pid}`);
    expect(await second.ended).toBe(1);
    expect(await ask(first.told.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('of several that start in the same moment, on a new directory, one has it', async () => {
    const all = await Promise.all([1, 2, 3, 4].map(() => holder('hold')));
    const won = all.filter(({ told }) => told.url !== undefined);
    expect(won).toHaveLength(1);
    for (const { told } of all.filter((one) => one !== won[0])) {
      expect(told).toMatchObject({ code: 'database.taken', pid: won[0]?.child.pid });
    }
    expect(fs.readdirSync(dataDir).filter((name) => name.startsWith('postgres.new'))).toEqual([]);
  });

  it('a command may share the server of the one that runs, and leaves it running', async () => {
    usePrepared();
    const first = await holder('hold');
    const command = await holder('share');
    expect(command.told).toMatchObject({ reused: true, url: first.told.url });
    expect(await command.ended).toBe(0);
    expect(await ask(first.told.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('after kill -9 the next one takes the running server over', async () => {
    usePrepared();
    const first = await holder('hold');
    await ask(first.told.url, `create table kept as select 'still here' as word`);
    const { pid } = readPostmaster(join(dataDir, 'postgres'))!;
    first.child.kill('SIGKILL');
    const second = await holder('hold');
    expect(second.told.reused).toBe(true);
    expect(readPostmaster(join(dataDir, 'postgres'))!.pid).toBe(pid);
    expect(await ask(second.told.url, 'select word from kept')).toEqual([{ word: 'still here' }]);
    second.child.kill('SIGTERM');
    expect(await second.ended).toBe(143);
    await until(() => !isAlive(pid));
  });

  it('after kill -9 of both, what was committed is there', async () => {
    usePrepared();
    const first = await holder('hold');
    await ask(first.told.url, `create table kept as select 'still here' as word`);
    const { pid } = readPostmaster(join(dataDir, 'postgres'))!;
    first.child.kill('SIGKILL');
    process.kill(pid, 'SIGKILL');
    await until(() => !isAlive(pid));
    const { url, reused, stop } = await start();
    expect(reused).toBe(false);
    expect(await ask(url, 'select word from kept')).toEqual([{ word: 'still here' }]);
    await stop();
  });

  it('a stale postmaster.pid whose number another program has now does not stop it', async () => {
    usePrepared();
    const first = await start();
    const file = join(dataDir, 'postgres/postmaster.pid');
    const content = fs.readFileSync(file, 'utf8');
    await first.stop();
    fs.writeFileSync(file, content.replace(/^\d+/, String(process.pid)));
    const second = await start();
    expect(second.reused).toBe(false);
    await second.stop();
  });
});

describe('it ends with us', () => {
  it('on Ctrl-C, which goes to our process group and not to the server, whose files are left clean', async () => {
    usePrepared();
    const { child, ended } = await holder('hold');
    const { pid } = readPostmaster(join(dataDir, 'postgres'))!;
    process.kill(-child.pid!, 'SIGINT');
    expect(await ended).toBe(130);
    await until(() => !isAlive(pid));
    expect(fs.readFileSync(join(dataDir, 'postgres.log'), 'utf8')).toContain('database system is shut down');
  });

  it('when the process ends over a bug', async () => {
    usePrepared();
    const { ended } = await holder('crash');
    await ended;
    await until(() => readPostmaster(join(dataDir, 'postgres')) === undefined);
  });
});

describe('where it cannot run', () => {
  it('a failure to start shows the last lines of its log', async () => {
    usePrepared();
    fs.appendFileSync(join(dataDir, 'postgres/postgresql.conf'), '\nno_such_setting = 1\n');
    await expect(start()).rejects.toMatchObject({
      code: 'database.failed',
      message: expect.stringContaining('no_such_setting'),
    });
  });

  it('files of another PostgreSQL are refused with a way out', async () => {
    usePrepared();
    fs.writeFileSync(join(dataDir, 'postgres/PG_VERSION'), '15\n');
    await expect(start()).rejects.toMatchObject({
      code: 'database.version',
      message: expect.stringContaining('DATABASE_URL'),
    });
  });
});

if (isRoot) {
  describe('started by root', () => {
    it('runs as another user, who owns the files', async () => {
      usePrepared();
      const { stop } = await start();
      const { pid } = readPostmaster(join(dataDir, 'postgres'))!;
      const owner = fs.statSync(join(dataDir, 'postgres')).uid;
      expect(owner).not.toBe(0);
      expect(fs.statSync(`/proc/${pid}`).uid).toBe(owner);
      await stop();
    });

    it('puts the files outside of a private home, finds them again, and widens nothing', async () => {
      fs.chmodSync(home, 0o700);
      const first = await start();
      await ask(first.url, `create table kept as select 'still here' as word`);
      const cluster = fs.readlinkSync(join(dataDir, 'postgres'));
      expect(cluster.startsWith(home)).toBe(false);
      expect(fs.statSync(home).mode & 0o777).toBe(0o700);
      await first.stop();
      // Even when the home is opened later.
      fs.chmodSync(home, 0o711);
      const second = await start();
      expect(await ask(second.url, 'select word from kept')).toEqual([{ word: 'still here' }]);
      await second.stop();
    });

    it('does not bring the data of a deleted directory back', async () => {
      fs.chmodSync(home, 0o700);
      const first = await start();
      await ask(first.url, 'create table old ()');
      await first.stop();
      fs.rmSync(dataDir, { recursive: true });
      const second = await start();
      expect(await ask(second.url, `select to_regclass('old') as found`)).toEqual([{ found: null }]);
      await second.stop();
    });
  });
}

// A checkout in root's own home is nobody else's to run from.
if (isRoot && spawnSync('/bin/sh', ['-c', `test -r "${holderScript}"`], nobody).status === 0) {
  describe('beside root', () => {
    it('it serves an ordinary user as well', async () => {
      fs.chownSync(home, nobody.uid, nobody.gid);
      const { told, child, ended } = await holder('hold', nobody);
      expect(told.url).toContain('postgresql://');
      expect(fs.statSync(join(dataDir, 'postgres')).uid).toBe(nobody.uid);
      child.kill('SIGTERM');
      expect(await ended).toBe(143);
    });

    it('an ordinary user does not start what root has made', async () => {
      usePrepared();
      const owner = fs.statSync(join(dataDir, 'postgres')).uid;
      const { told } = await holder('stop', { uid: owner + 1, gid: owner + 1 });
      expect(told.code).toBe('database.foreign');
    });
  });
}
