/**
 * What others are told of how Cardea does, when the operator says where: traces by OpenTelemetry, bugs to Sentry. The
 * packages are loaded only then. A collector that is slow or gone costs nothing but what it would have been told.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Middleware } from 'koa';
import type { Settings } from '../config/index.ts';
import type { ReportedError } from '../log.ts';
import type { AnsweredRequest } from './tracing.ts';

export type { AnsweredRequest } from './tracing.ts';

export interface Telemetry {
  /** Opens a span for each request, by route; absent when nothing is traced. */
  requests?: (routes: Iterable<string>) => Middleware;
  /** Notes a span for a request that was answered without middleware; absent when nothing is traced. @returns the trace's id */
  answered?: (request: AnsweredRequest) => string;
  /** Tells of a bug; absent when nobody is to be told. */
  report?: (error: ReportedError) => void;
  /** Sends what is left, in a few seconds at most. */
  close(): Promise<void>;
}

/** @returns what the settings ask for; with nothing set, nothing is loaded and nothing is done */
export async function startTelemetry(settings: Pick<Settings, 'tracing' | 'sentry' | 'mode'>): Promise<Telemetry> {
  const { tracing, sentry, mode } = settings;
  if (!tracing.url && !sentry.dsn) return { close: async () => {} };
  const file = readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8');
  const { version } = JSON.parse(file) as { version: string };
  const traces = tracing.url
    ? (await import('./tracing.ts')).startTracing({ ...tracing, url: tracing.url, version })
    : undefined;
  const bugs = sentry.dsn
    ? (await import('./sentry.ts')).startSentry({
        dsn: sentry.dsn,
        environment: sentry.environment ?? mode,
        release: `cardea@${version}`,
      })
    : undefined;
  return {
    ...(traces && { requests: traces.requests, answered: traces.answered }),
    ...(bugs && { report: bugs.report }),
    close: async () => void (await Promise.allSettled([traces?.close(), bugs?.close()])),
  };
}
