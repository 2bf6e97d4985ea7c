import cluster from 'node:cluster';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { announce } from './announce.ts';
import type { App } from './app.ts';
import { startDemo } from './demo.ts';
import type { Settings } from './platform/config/index.ts';
import { startEmbedded } from './platform/db/index.ts';
import { listen } from './platform/http/index.ts';
import { createLog, type Log, settleAfterStart } from './platform/index.ts';
import type { Metrics } from './platform/metrics/index.ts';
import { startTelemetry } from './platform/telemetry/index.ts';

/** Whatever has to be ended, last started first. */
type Stop = () => Promise<void>;

/**
 * The first process: brings the database up and the installation into shape, then serves by itself or starts the
 * workers that do. It alone shows the addresses and keeps the demo application.
 */
export async function runPrimary(settings: Settings, processes: number): Promise<void> {
  const telemetry = await startTelemetry(settings);
  const log = createLog({ level: settings.log.level, onError: telemetry.report });
  const stops: Stop[] = [telemetry.close];
  const finish = onSignals(log, stops);
  finishWithNpm(finish);

  const embedded = settings.database.url ? undefined : await startEmbedded({ dataDir: resolve(settings.data), log });
  if (embedded) stops.push(embedded.stop);
  const databaseUrl = settings.database.url ?? embedded!.url;

  const { createApp } = await import('./app.ts');
  const app = await createApp({ settings, databaseUrl, log, telemetry });
  const changes = await bootstrap(settings, app, log);
  const demo = settings.demo.enabled
    ? await startDemo({ settings, clients: app.ports.clients, resources: app.ports.resources, db: app.ports.db, log })
    : undefined;
  if (demo) stops.push(demo.stop);
  const setupLink = await app.setupLink();
  // From before the first request until after the last.
  if (app.metrics) stops.push(await showMetrics(settings, log, processes === 1 ? app.metrics : undefined));

  if (processes === 1) {
    stops.push(await serve(settings, app, log));
  } else {
    await app.close();
    // To a worker the embedded server is a server like any other.
    stops.push(await startWorkers(processes, embedded ? { DATABASE_URL: embedded.url } : {}, finish));
  }
  announce({ settings, setupLink, demo: demo?.url, bootstrap: changes });
  settleAfterStart();
}

/** One of several processes that serve. */
export async function runProcess(settings: Settings): Promise<void> {
  const telemetry = await startTelemetry(settings);
  const log = createLog({ level: settings.log.level, name: `worker ${cluster.worker!.id}`, onError: telemetry.report });
  const stops: Stop[] = [telemetry.close];
  onSignals(log, stops);
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  const { createApp } = await import('./app.ts');
  const app = await createApp({ settings, databaseUrl: settings.database.url!, log, telemetry });
  if (app.metrics) (await import('./platform/metrics/index.ts')).answerGatherer(app.metrics);
  stops.push(await serve(settings, app, log));
  settleAfterStart();
}

/** Milliseconds for work under way, letters and deliveries among it, to end. */
const closePatience = 30_000;

async function serve(settings: Settings, app: App, log: Log): Promise<Stop> {
  const { certFile, keyFile, clientCaFile } = settings.server.tls;
  const listening = await listen({
    handler: app.handler,
    port: settings.server.port,
    host: settings.server.host,
    tls: certFile && keyFile ? { certFile, keyFile, clientCaFile } : undefined,
    log,
  });
  app.start();
  return async () => {
    app.drain();
    listening.drain();
    // A balancer hears of it by asking whether we are ready; what it sends until then is answered.
    await sleep(settings.server.drain * 1000);
    await listening.stop(settings.server.stopPatience);
    // Whatever does not let go by then is left to the end of the process: the database has to be stopped as well.
    await Promise.race([app.close(), sleep(closePatience, undefined, { ref: false })]);
  };
}

/** @param own this process's figures; without them those of its workers */
async function showMetrics({ metrics: { port, host } }: Settings, log: Log, own: Metrics | undefined): Promise<Stop> {
  const { gatherFromWorkers, serveMetrics } = await import('./platform/metrics/index.ts');
  const listening = await serveMetrics({ port: port!, host, scrape: own?.scrape ?? gatherFromWorkers(), log });
  return () => listening.stop(1);
}

/** CARDEA_BOOTSTRAP, checked whole and applied; a fault stops the start. @returns what it changed, if there is one */
async function bootstrap(settings: Settings, app: App, log: Log): Promise<string[] | undefined> {
  if (!settings.bootstrap) return undefined;
  const { applyPlan, checkPlan, readPlan } = await import('./provision/index.ts');
  const plan = readPlan(readFileSync(settings.bootstrap, 'utf8'));
  checkPlan(plan, { mode: settings.mode, validateClient: app.ports.oidc.validateClient });
  const changes = await applyPlan(plan, app.ports);
  log.info({ changes }, changes.length > 0 ? 'the bootstrap file was applied' : 'the bootstrap file changed nothing');
  return changes;
}

/** @returns once the first one serves */
async function startWorkers(
  processes: number,
  databaseOfWorker: Record<string, string>,
  finish: () => void,
): Promise<Stop> {
  let stopping = false;
  const fork = () => cluster.fork(databaseOfWorker);
  for (let started = 0; started < processes; started++) fork();
  let diedEarly = 0;
  cluster.on('exit', () => {
    if (stopping) return;
    // A worker that dies is replaced; if they die one after the other, something is wrong that a new one does not mend.
    if (++diedEarly > 3 * processes) return finish();
    setTimeout(() => diedEarly--, 60_000).unref();
    fork();
  });
  await once(cluster, 'listening');
  return async () => {
    stopping = true;
    const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
    await Promise.all(
      workers.map((worker) => {
        const gone = new Promise<void>((done) => worker.once('exit', () => done()));
        worker.process.kill('SIGTERM');
        return gone;
      }),
    );
  };
}

/**
 * `npm start` hands its signal to the shell between it and us. Some shells (dash) die of it and tell nobody: we would stay,
 * with port and data directory, and the next start would be refused. That the shell is gone shows in the parent.
 */
function finishWithNpm(finish: () => void): void {
  if (process.env.npm_lifecycle_event !== 'start') return;
  const shell = process.ppid;
  setInterval(() => process.ppid !== shell && finish(), 500).unref();
}

/**
 * Ends everything once, in the opposite order of its start. A second Ctrl-C does not wait; one that comes together with
 * another signal is the same wish told twice, by the terminal to the whole group and by the first process to its workers.
 */
function onSignals(log: Log, stops: Stop[]): () => void {
  let stoppingSince: number | undefined;
  const stop = (signal?: NodeJS.Signals) => {
    if (stoppingSince !== undefined) {
      if (signal === 'SIGINT' && performance.now() - stoppingSince > 1_000) process.exit(1);
      return;
    }
    stoppingSince = performance.now();
    log.info('stopping');
    void (async () => {
      for (const end of stops.reverse())
        await end().catch((error: unknown) => log.error({ err: error }, 'a part did not stop cleanly'));
      process.exit(0);
    })();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return stop;
}
