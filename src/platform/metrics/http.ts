import type { Middleware } from 'koa';
import type { Metrics } from './metrics.ts';

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
/** In seconds: from an answer out of memory to one that waits for the store's deadline. */
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface RequestMeasure {
  middleware: Middleware;
  /** Counts one that was answered before any middleware. @param code of HTTP */
  answered(method: string, route: string, code: number, seconds: number): void;
}

/** Counts requests and how long they took, by route and never by path. */
export function measureRequests(metrics: Metrics, routeOf: (path: string) => string): RequestMeasure {
  const answered = metrics.counter('http_requests_total', 'Requests answered, by route and class of status.', [
    'method',
    'route',
    'status',
  ]);
  const took = metrics.histogram(
    'http_request_duration_seconds',
    'From the arrival of a request to its answer, by route.',
    buckets,
    ['method', 'route'],
  );
  let inFlight = 0;
  metrics.gauge('http_requests_in_flight', 'Requests being answered now.', [], 'sum', () => inFlight);

  const middleware: Middleware = async (ctx, next) => {
    const started = performance.now();
    inFlight++;
    // Whatever is thrown past the boundary of errors is answered by koa, as a fault of ours.
    let failed = true;
    try {
      await next();
      failed = false;
    } finally {
      inFlight--;
      const method = methods.has(ctx.method) ? ctx.method : 'other';
      const route = routeOf(ctx.path);
      took((performance.now() - started) / 1000, { method, route });
      answered({ method, route, status: failed ? '5xx' : `${Math.floor(ctx.status / 100)}xx` });
    }
  };
  return {
    middleware,
    answered(method, route, code, seconds) {
      took(seconds, { method, route });
      answered({ method, route, status: `${Math.floor(code / 100)}xx` });
    },
  };
}
