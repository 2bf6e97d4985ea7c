import { mkdtempSync, rmSync } from 'node:fs';
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

/** The whole house in this process, so that a test can reach the rooms behind the doors. */
export async function startApp(
  options: { bootstrap?: object; redis?: boolean; env?: Record<string, string> } = {},
): Promise<{ app: App; issuer: string; stop(): Promise<void> }> {
  const home = mkdtempSync(join(tmpdir(), 'cardea-app-'));
  const database = await freshDatabase();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const issuer = `http://localhost:${(server.address() as AddressInfo).port}`;
  const settings = loadSettings({
    cwd: join(import.meta.dirname, '../..'),
    env: {
      NODE_ENV: 'test',
      CARDEA_ISSUER: issuer,
      CARDEA_SECRET: 'for-tests-only-2f9c1b7e4a8d6053-and-long-enough',
      CARDEA_DATA: home,
      DATABASE_URL: database.url,
      ...(options.redis && { REDIS_URL: inject('redisUrl') }),
      ...options.env,
    },
  });
  const app = await createApp({ settings, databaseUrl: database.url, log: silentLog });
  if (options.bootstrap) await applyPlan(readPlan(JSON.stringify(options.bootstrap)), app.ports);
  server.on('request', app.handler);
  return {
    app,
    issuer,
    async stop() {
      server.closeAllConnections();
      server.close();
      await app.close();
      await database.drop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}
