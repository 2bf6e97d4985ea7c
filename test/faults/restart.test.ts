import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startEmbedded } from '../../src/platform/db/embedded.ts';
import { silentLog } from '../../src/platform/log.ts';
import { type Cardea, startCardea } from '../support/cardea.ts';
import { bootstrap, clients, createPerson } from '../support/seeds.ts';
import { tokenClient } from '../support/token-client.ts';

// PostgreSQL itself is restarted under load, on files of its own.

const home = mkdtempSync(join(tmpdir(), 'cardea-restart-'));
const startDatabase = () =>
  startEmbedded({ dataDir: join(home, 'database'), log: silentLog, settings: { fsync: 'off' } });
let database: Awaited<ReturnType<typeof startDatabase>>;
let cardea: Cardea;
beforeAll(async () => {
  // As root, the database's user has to reach what lies in it.
  chmodSync(home, 0o711);
  database = await startDatabase();
  cardea = await startCardea({
    bootstrap,
    env: { DATABASE_URL: database.url },
    settings: { demo: { enabled: false }, database: { connections: 4 } },
  });
}, 90_000);
afterAll(async () => {
  await cardea?.stop();
  await database?.stop();
  rmSync(home, { recursive: true, force: true });
});

it('restarts of PostgreSQL under load end no grant, are 503 meanwhile, and cost no connection for good', async () => {
  const web = tokenClient(cardea.issuer, clients.web);
  const person = createPerson();
  const chains: string[] = [];
  for (let nth = 0; nth < 6; nth++)
    chains.push((await web.signIn({ person, parameters: { scope: 'openid offline_access' } })).refresh_token);
  const told = new Set<unknown>();
  let running = true;
  let trades = 0;
  const loops = chains.map(async (_, nth) => {
    while (running) {
      const { status, error, body } = await web.refresh(chains[nth]!);
      if (status === 200) chains[nth] = String(body.refresh_token);
      else told.add(`${status} ${error}`);
      trades += status === 200 ? 1 : 0;
    }
  });
  const afterMore = async () => {
    const before = trades;
    await expect.poll(() => trades, { timeout: 30_000 }).toBeGreaterThan(before + 6);
  };
  // More often than the pool has connections.
  for (let round = 0; round < 5; round++) {
    await afterMore();
    await database.stop();
    database = await startDatabase();
  }
  await afterMore();
  running = false;
  await Promise.all(loops);
  expect([...told].filter((each) => each !== '503 temporarily_unavailable')).toEqual([]);
  for (const chain of chains) expect(await web.refresh(chain)).toMatchObject({ status: 200 });
  expect(await cardea.stop()).toBe(0);
}, 180_000);
