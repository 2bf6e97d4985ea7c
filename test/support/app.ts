import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import { type App, createApp } from '../../src/app.ts';
import { loadSettings } from '../../src/platform/config/index.ts';
import { silentLog } from '../../src/platform/index.ts';
import { applyPlan, readPlan } from '../../src/provision/index.ts';
import { freshDatabase } from './database.ts';
import { ownSecret } from './secret.ts';

export interface House {
  app: App;
  issuer: string;
  /** Where this one answers; differs from the issuer beside another. */
  at: string;
  databaseUrl: string;
  secret: string;
  stop(): Promise<void>;
}

/** The whole house in this process, so that a test can reach the rooms behind the doors. */
export async function startApp(
  options: {
    bootstrap?: object;
    redis?: boolean;
    env?: Record<string, string>;
    /** As in a file of settings. */
    settings?: object;
    /** Another house on the same stores, with a memory of its own: what this gave for the first. */
    beside?: House;
  } = {},
): Promise<House> {
  const { beside } = options;
  const home = mkdtempSync(join(tmpdir(), 'cardea-app-'));
  const database = beside ? { url: beside.databaseUrl, drop: async () => {} } : await freshDatabase();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const at = `http://localhost:${(server.address() as AddressInfo).port}`;
  const issuer = beside?.issuer ?? at;
  const secret = beside?.secret ?? ownSecret();
  const file = join(home, 'settings.yaml');
  if (options.settings) writeFileSync(file, JSON.stringify(options.settings));
  const settings = loadSettings({
    cwd: join(import.meta.dirname, '../..'),
    env: {
      NODE_ENV: 'test',
      CARDEA_ISSUER: issuer,
      CARDEA_SECRET: secret,
      CARDEA_DATA: home,
      DATABASE_URL: database.url,
      ...(options.redis && { REDIS_URL: inject('redisUrl') }),
      ...(options.settings && { CARDEA_CONFIG: file }),
      ...options.env,
    },
  });
  const app = await createApp({ settings, databaseUrl: database.url, log: silentLog });
  if (options.bootstrap) await applyPlan(readPlan(JSON.stringify(options.bootstrap)), app.ports);
  server.on('request', app.handler);
  return {
    app,
    issuer,
    at,
    databaseUrl: database.url,
    secret,
    async stop() {
      server.closeAllConnections();
      server.close();
      await app.close();
      await database.drop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}
