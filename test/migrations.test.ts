import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createDb, ensureSchema, migrate } from '../src/platform/db/index.ts';
import { silentLog } from '../src/platform/log.ts';
import { freePorts, startCardea } from './support/cardea.ts';
import { emptyDatabase, onDatabase } from './support/database.ts';
import { dumpRows, dumpSchema } from './support/dump.ts';
import { ADA, bootstrap, clients, createPerson, ORDERS } from './support/seeds.ts';
import { tokenClient } from './support/token-client.ts';

// The schema is reached from nothing and from what the first release left behind, by one process or by several at once.

const folder = join(import.meta.dirname, '../migrations');
const files = readdirSync(folder).toSorted();
const all = files.map((file) => file.replace('.ts', ''));
const fixture = (name: string) => readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8');
const release = { sql: fixture('release-0.1.0.sql'), ...JSON.parse(fixture('release-0.1.0.json')) };

const drops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of drops.splice(0)) await drop();
});

async function database(sql?: string): Promise<string> {
  const { url, drop } = await emptyDatabase();
  drops.push(drop);
  if (sql) await onDatabase(url, (client) => client.query(sql));
  return url;
}

async function migrateOnce(url: string): Promise<string[]> {
  const db = await createDb({ url, entities: [], migrations: folder, log: silentLog });
  try {
    return await migrate(db, silentLog);
  } finally {
    await db.close();
  }
}

// MAKE_RELEASE=0.1.0 npx vitest run test/migrations.test.ts -t 'writes what a release leaves behind'
if (process.env.MAKE_RELEASE) it('writes what a release leaves behind', makeRelease);

async function makeRelease(): Promise<void> {
  const name = join(import.meta.dirname, `fixtures/release-${process.env.MAKE_RELEASE}`);
  const cardea = await startCardea({
    settings: { demo: { enabled: false } },
    bootstrap: {
      clients: [clients.web, clients.other],
      users: [ADA],
      resource_servers: [{ identifier: ORDERS, scopes: ['orders:read'], introspection_clients: ['other'] }],
    },
  });
  const person = createPerson();
  const web = tokenClient(cardea.issuer, clients.web);
  const { refresh_token } = await web.signIn({ person, parameters: { scope: 'openid email offline_access' } });
  await tokenClient(cardea.issuer, clients.other).signIn({ person, parameters: { scope: 'openid email' } });
  const sql = await onDatabase(cardea.databaseUrl, async (client) =>
    [await dumpSchema(client), await dumpRows(client)].join('\n'),
  );
  const head =
    '-- What a release leaves behind: its schema, and one person who is signed in to two applications. Never changed\n' +
    '-- once the release is out.\n\n';
  writeFileSync(`${name}.sql`, head + sql);
  const kept = { secret: cardea.env.CARDEA_SECRET, refresh_token };
  writeFileSync(`${name}.json`, `${JSON.stringify(kept, null, 2)}\n`);
  await cardea.stop();
}

describe('migrations', () => {
  it('make the schema from nothing, each once', async () => {
    const url = await database();
    expect(await migrateOnce(url)).toEqual(all);
    expect(await migrateOnce(url)).toEqual([]);
  });

  it('make of the first release’s database the same schema, and keep what is in it', async () => {
    const fresh = await database();
    await migrateOnce(fresh);
    const old = await database(release.sql);
    const had = (await onDatabase(old, (client) => client.query('select name from migration order by id'))).rows;
    const names = had.map(({ name }: { name: string }) => name);
    // A migration that was released is never renamed, removed or changed.
    expect(all.slice(0, names.length)).toEqual(names);
    expect(await migrateOnce(old)).toEqual(all.slice(names.length));
    expect(await onDatabase(old, dumpSchema)).toBe(await onDatabase(fresh, dumpSchema));
    const { rows } = await onDatabase(old, (client) => client.query('select email, state from user_account'));
    expect(rows).toEqual([{ email: ADA.email, state: 'Active' }]);
  });

  it('run once when several begin at once', async () => {
    const url = await database();
    const applied = await Promise.all([1, 2, 3, 4].map(() => migrateOnce(url)));
    expect(applied.flat().toSorted()).toEqual(all);
    expect(applied.filter((names) => names.length > 0)).toHaveLength(1);
  });

  it('go forward only', () => {
    for (const file of files) expect(readFileSync(join(folder, file), 'utf8')).not.toMatch(/\bdown\s*\(/);
  });
});

describe('the real entry point', () => {
  it('takes over the first release’s database: passwords, consents and refresh tokens still hold', async () => {
    const url = await database(release.sql);
    // The fixture does not grow old.
    await onDatabase(url, async (client) => {
      for (const table of ['authorization_grant', 'session'])
        await client.query(`update ${table} set expires_at = now() + interval '1 day'`);
      await client.query(
        `update refresh_token set expires_at = now() + interval '1 day', payload = jsonb_set(payload::jsonb, '{exp}',
           to_jsonb(extract(epoch from now())::int + 86400))`,
      );
    });
    const cardea = await startCardea({
      settings: { demo: { enabled: false } },
      env: { DATABASE_URL: url, CARDEA_SECRET: release.secret },
    });
    try {
      const web = tokenClient(cardea.issuer, clients.web);
      expect(await web.refresh(release.refresh_token)).toMatchObject({ status: 200 });
      const person = createPerson();
      const other = tokenClient(cardea.issuer, clients.other);
      const page = await person.open(other.authorizeUrl({ scope: 'openid email' }));
      const password = await person.submit(page, { identifier: ADA.email });
      const done = await person.submit(password, { password: ADA.password });
      expect(done.url.searchParams.get('code')).toBeTruthy();
    } finally {
      await cardea.stop();
    }
  });

  it('brings an empty database up in two processes at once, bootstrap file included', async () => {
    const url = await database();
    const [port] = await freePorts(1);
    const issuer = `http://localhost:${port}`;
    const start = (env: Record<string, string>) =>
      startCardea({
        settings: { demo: { enabled: false } },
        bootstrap,
        env: { DATABASE_URL: url, CARDEA_ISSUER: issuer, ...env },
      });
    const both = await Promise.all([start({ PORT: String(port) }), start({})]);
    try {
      expect((await tokenClient(issuer, clients.web).signIn()).id_token).toBeTruthy();
      const counts = await onDatabase(url, (client) =>
        client.query(`select (select count(*) from client)::int as clients, (select count(*) from user_account)::int as people,
          (select count(*) from signing_key)::int as keys, (select count(*) from client_secret)::int as secrets`),
      );
      expect(counts.rows[0]).toEqual({
        clients: bootstrap.clients.length,
        people: bootstrap.users.length,
        keys: 2,
        secrets: bootstrap.clients.filter((client) => 'client_secret' in client).length,
      });
    } finally {
      for (const one of both) await one.stop();
    }
  });
});

describe('a process that may not change the schema', () => {
  const start = (url: string, patience: number) =>
    ensureSchema({
      url,
      migrations: folder,
      apply: false,
      patience,
      log: silentLog,
      open: () => Promise.reject(new Error('it wanted to')),
    });

  it('waits for the one that brings it up to date', async () => {
    const url = await database();
    const waiting = start(url, 60);
    await migrateOnce(url);
    await waiting;
  });

  it('says what is missing when nobody comes', async () => {
    await expect(start(await database(), 0)).rejects.toThrow(/lacks 0001-events.*cardea migrate/s);
  });
});
