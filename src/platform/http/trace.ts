import { randomUUID } from 'node:crypto';
import type { Middleware } from 'koa';
import type { Log } from '../log.ts';
import type { AppContext } from './state.ts';

const traceparent = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;

/** What a `traceparent` names, as W3C Trace Context has it; undefined for anything else. */
export function readTraceparent(header: string | undefined) {
  const [, traceId, spanId, flags] = traceparent.exec(header ?? '') ?? [];
  return traceId && spanId && flags ? { traceId, spanId, flags } : undefined;
}

/** The id of a request: that of its caller's trace, if it names one, or a new one. */
export const traceIdOf = (header: string | undefined): string =>
  readTraceparent(header)?.traceId ?? randomUUID().replaceAll('-', '');

/** Gives the request an id (that of a W3C `traceparent`, if it brings one) and writes one line when it is answered. */
export function requestTrace(log: Log): Middleware {
  return async (ctx, next) => {
    const { state } = ctx as AppContext;
    // A trace that is kept has an id already.
    state.traceId ??= traceIdOf(ctx.get('traceparent'));
    // Made for those that have something to say: most requests do not.
    state.log = () => log.child({ trace: state.traceId });
    const started = performance.now();
    ctx.set('x-request-id', state.traceId);
    try {
      await next();
    } finally {
      // The path only: queries carry codes, states and addresses. Ids in a path are cut as well.
      log.info(
        {
          trace: state.traceId,
          method: ctx.method,
          path: withoutIds(ctx.path),
          status: ctx.status,
          ms: Math.round(performance.now() - started),
        },
        'request',
      );
    }
  };
}

const withoutIds = (path: string): string => path.replace(/[\w-]{20,}/g, ':id').slice(0, 200);
