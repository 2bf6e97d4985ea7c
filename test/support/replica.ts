import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { appendFileSync, chmodSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { startEmbedded } from '../../src/platform/db/embedded.ts';
import { findPlace, type Place } from '../../src/platform/db/embedded-place.ts';
import { readPostmaster } from '../../src/platform/db/embedded-postmaster.ts';
import { silentLog } from '../../src/platform/log.ts';
import { eventually } from './ground.ts';

const settings = { fsync: 'off', synchronous_commit: 'off', shared_buffers: '32MB' };

/**
 * A PostgreSQL of one's own and a real streaming replica of it, on which a plain owner of a database called `app` is who
 * Cardea comes as: it needs no more than that.
 */
export async function startReplicated() {
  const home = mkdtempSync(join(tmpdir(), 'cardea-replica-'));
  // As root, the database's user has to reach what lies in it.
  chmodSync(home, 0o711);
  const dataDir = join(home, 'first');
  const first = () => startEmbedded({ dataDir, log: silentLog, settings });
  let primary = await first();
  const place = findPlace(dataDir, silentLog);
  const cluster = join(dirname(place.cluster), 'replica');

  await primary.stop();
  const [host, port] = [place.cluster, 5432];
  // With owner and modes: PostgreSQL looks at them.
  execFileSync('cp', ['-a', place.cluster, cluster]);
  writeFileSync(join(cluster, 'standby.signal'), '');
  appendFileSync(
    join(cluster, 'postgresql.conf'),
    `primary_conninfo = 'host=${host} port=${port} user=cardea'\nwal_retrieve_retry_interval = 100\n`,
  );
  primary = await first();
  const at = readPostmaster(place.cluster);
  if (at?.host !== host || at.port !== port) throw new Error(`the primary listens elsewhere: ${at?.host}:${at?.port}`);

  const asAdmin = async (socket: string, database: string, sql: string) => {
    const client = new Client({ host: socket, port, user: 'cardea', database });
    await client.connect();
    return client.query(sql).finally(() => client.end());
  };
  await asAdmin(host, 'postgres', 'create role app login');
  await asAdmin(host, 'postgres', 'create database app owner app');

  let replica: ChildProcess | undefined;
  const followed = {
    async start() {
      const log = openSync(join(home, 'replica.log'), 'a');
      const options = { fsync: 'off', listen_addresses: '', unix_socket_directories: cluster, timezone: 'UTC' };
      replica = spawn(
        join(place.bin, 'postgres'),
        ['-D', cluster, ...Object.entries(options).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
        { ...asOwner(place), cwd: cluster, stdio: ['ignore', log, log] },
      );
      await eventually(() => asAdmin(cluster, 'app', 'select 1'), { timeout: 30_000 });
    },
    /** As a crash: whoever is connected is cut off. */
    async stop() {
      const gone = new Promise((resolve) => replica?.once('exit', resolve));
      if (!replica || replica.exitCode !== null) return;
      replica.kill('SIGQUIT');
      await gone;
    },
    admin: (sql: string) => asAdmin(cluster, 'app', sql),
  };
  process.once('exit', () => replica?.kill('SIGQUIT'));
  await followed.start();

  const urlOf = (socket: string) => `postgresql://app@${encodeURIComponent(socket)}:${port}/app`;
  return {
    url: urlOf(host),
    replicaUrl: urlOf(cluster),
    replica: followed,
    async stop() {
      await followed.stop();
      await primary.stop();
      rmSync(home, { recursive: true, force: true });
      rmSync(cluster, { recursive: true, force: true });
    },
  };
}

const asOwner = ({ owner }: Place) => ({
  ...(owner && { uid: owner.uid, gid: owner.gid }),
  env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
});
