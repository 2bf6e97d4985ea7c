import { createDomain } from './app/domain.ts';
import { createDoors } from './app/doors.ts';
import { createGround } from './app/ground.ts';
import { createHandler } from './app/http.ts';
import { createWork } from './app/work.ts';
import type { Settings } from './platform/config/index.ts';
import { type Clock, type Log, systemClock } from './platform/index.ts';
import type { Telemetry } from './platform/telemetry/index.ts';
import { createResolver, type ResolveTxt } from './users/index.ts';

export { migrations } from './app/ground.ts';

/**
 * The house, built by hand from the ground up: ground, domain, doors, work, http. Nothing runs yet when this returns but
 * the connections; {@link App.start} sets the periodic work going.
 * @param options.databaseUrl where PostgreSQL is, be it the operator's or the embedded one
 */
export async function createApp(options: {
  settings: Settings;
  databaseUrl: string;
  log: Log;
  clock?: Clock;
  telemetry?: Pick<Telemetry, 'requests' | 'answered'>;
  /** Proves domains; the machine's own name servers otherwise. */
  resolveTxt?: ResolveTxt;
}) {
  const { clock = systemClock, resolveTxt = createResolver(), telemetry } = options;
  let ready = false;

  const ground = await createGround({ ...options, clock });
  const domain = await createDomain(ground, { resolveTxt });
  const doors = await createDoors(ground, domain);
  const work = createWork(ground, domain, doors);
  const handler = createHandler(ground, domain, doors, { isReady: () => ready, telemetry });

  return {
    handler,
    setupLink: doors.setup.link,
    /** Absent unless they are to be shown. */
    metrics: ground.measures?.metrics,
    ports: { ...domain.credentials, ...domain, db: ground.db, tasks: ground.tasks, oidc: doors.oidc },
    start() {
      work.start();
      ready = true;
    },
    /** Says that it is not ready, so that a balancer turns elsewhere, while requests are still answered. */
    drain() {
      ready = false;
    },
    /** After the last request. */
    async close() {
      ready = false;
      await work.stop();
      domain.keys.stop();
      await Promise.all([domain.mail.close(), domain.credentials.close(), ground.bus.close()]);
      ground.redis?.disconnect();
      await ground.db.close();
    },
  };
}

export type App = Awaited<ReturnType<typeof createApp>>;
