/** A process that sends what it relays and never gets to note it: to be killed by the test that starts it. */
import { createRelay } from '../../src/events/index.ts';
import { createDb } from '../../src/platform/db/index.ts';
import { createVault, silentLog, systemClock } from '../../src/platform/index.ts';

const db = await createDb({ url: process.argv[2]!, entities: [], migrations: '', log: silentLog });
createRelay({
  db,
  clock: systemClock,
  log: silentLog,
  vault: createVault('a secret for tests only, long enough to be one'),
  bus: { subscribe: () => {} },
  consumers: {
    letters: async (payload) => {
      process.stdout.write(`${payload}\n`);
      await new Promise(() => {});
    },
  },
}).start();
