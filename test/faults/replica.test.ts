import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDb, type Db } from '../../src/platform/db/index.ts';
import { silentLog } from '../../src/platform/log.ts';
import { type ApiStage, apiStage } from '../api/stage.ts';
import { freePorts } from '../support/cardea.ts';
import { cardeaCommand, told } from '../support/command.ts';
import { freshDatabase } from '../support/database.ts';
import { eventually } from '../support/ground.ts';
import { scrape } from '../support/metrics.ts';
import { startReplicated } from '../support/replica.ts';
import { ADA, clients } from '../support/seeds.ts';
import { tokenClient } from '../support/token-client.ts';

// A real streaming replica. It may lag, lose its primary, or be away: lists go on, and what decides about access never asks it.

let servers: Awaited<ReturnType<typeof startReplicated>>;
beforeAll(async () => {
  servers = await startReplicated();
}, 120_000);
afterAll(() => servers?.stop());

describe('reads that may lag', () => {
  let db: Db;
  const open = (replicaUrl: string, url = servers.url) =>
    createDb({ url, entities: [], migrations: '', log: silentLog, replica: { url: replicaUrl, mostLag: 1 } });
  beforeAll(async () => {
    db = await open(servers.replicaUrl);
    await db.query('create table thing (name text)');
  });
  afterAll(() => db?.close());

  const isReplica = 'select pg_is_in_recovery() as late';
  const askedReplica = async () => (await db.late<{ late: boolean }>(isReplica))[0]!.late;
  const isAsked = (wanted: boolean) =>
    eventually(async () => expect(await askedReplica()).toBe(wanted), { timeout: 30_000, interval: 100 });

  it('are answered by the replica; all others, and those of a transaction, by the primary', async () => {
    await isAsked(true);
    expect(await db.query(isReplica)).toEqual([{ late: false }]);
    await db.transact(async () => {
      await db.query(`insert into thing values ('of this transaction')`);
      expect(await db.late(isReplica)).toEqual([{ late: false }]);
      expect(await db.late('select name from thing')).toHaveLength(1);
    });
  });

  it('go to the primary while the replica is too far behind, and back again', async () => {
    await servers.replica.admin('select pg_wal_replay_pause()');
    await db.query(`insert into thing values ('not replayed')`);
    await isAsked(false);
    expect(await db.late('select name from thing')).toHaveLength(2);
    await servers.replica.admin('select pg_wal_replay_resume()');
    await isAsked(true);
    expect(await db.late('select name from thing')).toHaveLength(2);
    expect(db.replica()).toEqual({ usable: true, lag: 0 });
  }, 60_000);

  it('go to the primary when the replica has lost it, which its own figures do not tell', async () => {
    const follow = (how: string) =>
      servers.replica.admin(how).then(() => servers.replica.admin('select pg_reload_conf()'));
    await follow(`alter system set primary_conninfo = 'host=/nowhere'`);
    await db.query(`insert into thing values ('never sent')`);
    await isAsked(false);
    await follow('alter system reset primary_conninfo');
    await isAsked(true);
  }, 60_000);

  it('are answered without an error when the replica dies, and by it again when it is back', async () => {
    await servers.replica.stop();
    const answers = await Promise.all(Array.from({ length: 20 }, askedReplica));
    expect(answers).toEqual(answers.map(() => false));
    await servers.replica.start();
    await isAsked(true);
  }, 60_000);

  it('are not asked of another database, nor of one that follows nobody', async () => {
    const other = await freshDatabase();
    for (const url of [other.url, servers.url]) {
      const wrong = await open(url);
      expect(wrong.replica()).toEqual({ usable: false, lag: undefined });
      expect(await wrong.late(isReplica)).toEqual([{ late: false }]);
      await wrong.close();
    }
    await other.drop();
  });
});

describe('what decides about access', () => {
  let stage: ApiStage;
  let metricsPort: number;
  beforeAll(async () => {
    [metricsPort] = (await freePorts(1)) as [number];
    stage = await apiStage({
      env: {
        DATABASE_URL: servers.url,
        DATABASE_REPLICA_URL: servers.replicaUrl,
        CARDEA_METRICS_PORT: String(metricsPort),
      },
      settings: { database: { replica_lag: '5m' } },
    });
  }, 90_000);
  afterAll(() => stage?.stop());

  it('never asks a replica, however far it is behind: only lists are old', async () => {
    const { cardea } = stage;
    const web = tokenClient(cardea.issuer, clients.web);
    const states = async () =>
      (await stage.call('GET', '/admin/users?limit=100', { token: stage.tokens.admin })).body.items.map(
        ({ email }: { email: string }) => email,
      );
    await eventually(async () => expect(await states()).toContain(ADA.email), { timeout: 30_000 });

    await servers.replica.admin('select pg_wal_replay_pause()');
    const input = ADA.password;
    const made = await cardeaCommand(cardea, ['user', 'add', 'late@example.com', '--password-stdin'], { input });
    expect(made.code).toBe(0);
    expect(await states()).not.toContain('late@example.com');

    const held = await web.signIn({ email: 'late@example.com', parameters: { scope: 'openid offline_access' } });
    const next = await web.refresh(held.refresh_token);
    expect(next).toMatchObject({ status: 200 });
    const access = String(next.body.access_token);
    expect(await web.introspect(access)).toMatchObject({ active: true });
    await told(cardea, 'user', 'suspend', 'late@example.com');
    expect(await web.introspect(access)).toMatchObject({ active: false });
    expect((await web.userinfo(access)).status).toBe(401);
    expect(await web.refresh(String(next.body.refresh_token))).toMatchObject({ error: 'invalid_grant' });

    const at = await scrape(`http://127.0.0.1:${metricsPort}`);
    expect(at.value('cardea_database_replica_usable')).toBe(1);
    expect(at.value('cardea_database_replica_lag_seconds')).toBeGreaterThan(0);
    await servers.replica.admin('select pg_wal_replay_resume()');
    await eventually(async () => expect(await states()).toContain('late@example.com'), { timeout: 30_000 });
  }, 90_000);
});

it('only these ask for reads that may lag: lists, searches, figures, exports', () => {
  const asked = execFileSync('grep', ['-rlE', String.raw`\blate\b[(<]|mayLag: true|'late'`, 'src'], {
    cwd: join(import.meta.dirname, '../..'),
    encoding: 'utf8',
  });
  expect(asked.trim().split('\n').toSorted()).toEqual([
    'src/api/routes/history.ts',
    'src/events/audit.ts',
    'src/platform/db/db.ts',
    'src/users/intake.ts',
    'src/users/memberships-reader.ts',
    'src/users/search/search.ts',
    'src/users/search/tally.ts',
    'src/users/search/ways.ts',
  ]);
});
