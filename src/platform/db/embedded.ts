import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import type { Log } from '../log.ts';
import { DatabaseFault, findPlace, type Place } from './embedded-place.ts';
import { isAlive, type Postmaster, runningPostmaster, signal } from './embedded-postmaster.ts';
import * as server from './embedded-server.ts';

export { DatabaseFault } from './embedded-place.ts';

export interface Embedded {
  /** For DATABASE_URL: the database `cardea` on the embedded server. */
  url: string;
  /** Whether a server was found running: one that outlived a killed process, or another process's. */
  reused: boolean;
  /** Fast shutdown. Does nothing to a server that another Cardea holds. */
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  dataDir: string;
  log: Log;
  /** For commands: use the server of the Cardea that runs on this directory, if one does, instead of refusing. */
  share?: boolean;
  /** Further settings of PostgreSQL; tests turn `fsync` off. */
  settings?: Record<string, string>;
}

/** One of ours in the database `postgres`, where nothing else takes advisory locks. */
const lockKey = [4_217, 1];

/**
 * Starts PostgreSQL in the data directory, or takes over the one that a killed Cardea left running there.
 * It ends with us: by `stop()`, on SIGINT and SIGTERM when nobody else listens for them, and when the process exits.
 *
 * One Cardea at a time: it holds an advisory lock on a connection of its own, which the server drops when that
 * process dies, however it dies. `postmaster.pid` guards the files themselves.
 *
 * @throws DatabaseFault `database.taken` (another Cardea runs on the directory; `details.pid`), `database.foreign`,
 *   `database.unreachable`, `database.unsupported`, `database.failed`
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const dataDir = resolve(options.dataDir);
  const { log } = options;
  const place = findPlace(dataDir, log);
  const passwordFile = join(dataDir, 'postgres.password');
  const logFile = join(dataDir, 'postgres.log');
  server.createCluster(place, 'cardea', passwordFile);
  refuseOtherVersion(place);

  const bringUp = async () => {
    let found = runningPostmaster(place.cluster);
    for (let waited = 0; found && !found.ready && waited < 10_000; waited += 20) {
      await sleep(20);
      found = runningPostmaster(place.cluster);
    }
    if (found) return { postmaster: found, reused: true };
    const child = await server.startServer(place, logFile, options.settings ?? {});
    const postmaster = await server.whenReady(place.cluster, child, logFile);
    return { postmaster, reused: postmaster.pid !== child.pid };
  };
  const urlOf = ({ host, port }: Postmaster, database: string) => {
    const password = existsSync(passwordFile) ? `:${readFileSync(passwordFile, 'utf8').trim()}` : '';
    return `postgresql://cardea${password}@${encodeURIComponent(host)}:${port}/${database}`;
  };

  let { postmaster, reused } = await bringUp();
  let holder = await connect(urlOf(postmaster, 'postgres'));
  const takenBy = await takeLock(holder);
  if (takenBy !== undefined) {
    if (!options.share) {
      await holder.end();
      throw new DatabaseFault(
        'database.taken',
        `Cardea runs on ${dataDir} already (process ${takenBy}). Stop that one first, or choose another CARDEA_DATA.`,
        { pid: takenBy, dataDir },
      );
    }
    await holder.end();
    return { url: urlOf(postmaster, 'cardea'), reused: true, stop: async () => {} };
  }
  await createDatabase(holder);
  if (reused) log.info({ pid: postmaster.pid }, 'took over the database that the last run left behind');

  let stopping = false;
  /** The server crashed or was killed under us: bring it up again; until then the store is unavailable. */
  const guard = (client: Client) =>
    client.once('end', async () => {
      if (stopping) return;
      log.error({ logFile }, 'the embedded database was lost: starting it again');
      for (let attempt = 1; !stopping; attempt++) {
        try {
          ({ postmaster } = await bringUp());
          holder = await connect(urlOf(postmaster, 'postgres'));
          if ((await takeLock(holder)) !== undefined) throw new Error('another Cardea took the database');
          guard(holder);
          log.info({ pid: postmaster.pid }, 'the embedded database is back');
          return;
        } catch (error) {
          log.error({ err: error }, 'the embedded database could not be started');
          await sleep(Math.min(500 * attempt, 10_000), undefined, { ref: false });
        }
      }
    });
  guard(holder);

  const logLimiter = setInterval(() => server.limitLog(logFile), 600_000).unref();
  const atExit = () => signal(postmaster.pid, 'SIGINT');
  const atSignal = (name: 'SIGINT' | 'SIGTERM') => {
    // Whoever else listens ends the process in good order and stops us at its end.
    if (process.listenerCount(name) > 1) return;
    void stop().finally(() => process.exit(name === 'SIGINT' ? 130 : 143));
  };
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    clearInterval(logLimiter);
    // The lock is held until the server is down: nobody may come in between.
    await server.stopServer(place, postmaster.pid);
    process.off('exit', atExit).off('SIGINT', atSignal).off('SIGTERM', atSignal);
    await holder.end().catch(() => {});
  };
  process.on('exit', atExit).on('SIGINT', atSignal).on('SIGTERM', atSignal);
  return { url: urlOf(postmaster, 'cardea'), reused, stop };
}

function refuseOtherVersion({ version, cluster }: Place): void {
  const files = readFileSync(join(cluster, 'PG_VERSION'), 'utf8').trim();
  if (version.startsWith(`${files}.`)) return;
  throw new DatabaseFault(
    'database.version',
    `The files in ${cluster} are PostgreSQL ${files}'s, and this Cardea carries ${version}. ` +
      `Copy the data with the older Cardea (pg_dump), or name a PostgreSQL server in DATABASE_URL.`,
  );
}

/** The connection that carries the lock; its name tells others who we are. */
async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url, application_name: `cardea ${process.pid}`, keepAlive: true });
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** @returns the process that has the lock, or undefined: we have it */
async function takeLock(client: Client): Promise<number | undefined> {
  for (let attempt = 1; ; attempt++) {
    const taken = await client.query<{ ok: boolean }>('select pg_try_advisory_lock($1, $2) as ok', lockKey);
    if (taken.rows[0]?.ok) return undefined;
    const holders = await client.query<{ backend: number; name: string }>(
      `select activity.pid as backend, activity.application_name as name
         from pg_locks join pg_stat_activity activity using (pid)
        where locktype = 'advisory' and classid = $1 and objid = $2 and granted`,
      lockKey,
    );
    const holder = holders.rows[0];
    const pid = Number(holder?.name.split(' ')[1]);
    if (holder && pid !== process.pid && isAlive(pid)) return pid;
    if (holder && pid === process.pid) return pid;
    // It died a moment ago, and its connection is about to be noticed.
    if (holder && attempt % 10 === 0) await client.query('select pg_terminate_backend($1)', [holder.backend]);
    if (attempt > 100) return pid;
    await sleep(50);
  }
}

async function createDatabase(client: Client): Promise<void> {
  const found = await client.query(`select 1 from pg_database where datname = 'cardea'`);
  if (found.rowCount === 0) await client.query('create database cardea');
}
