import type { Middleware } from 'koa';
import { refusalHeaders } from '../limits/index.ts';
import { Refusal, statusOfKind } from '../refusal.ts';
import type { AppContext } from './state.ts';

export interface ErrorPage {
  status: number;
  /** Stable code, `room.reason`; `internal` for a bug. */
  code: string;
  traceId: string;
  retryAfter?: number | undefined;
}

/** Errors that koa, its parsers and the router throw on purpose carry a status and may be shown. */
const isHttpError = (error: unknown): error is Error & { status: number; expose: boolean } =>
  error instanceof Error &&
  typeof (error as { status?: unknown }).status === 'number' &&
  (error as unknown as { status: number }).status < 500;

const codeOfStatus: Record<number, string> = {
  400: 'request.malformed',
  404: 'page.missing',
  405: 'request.method',
  413: 'request.too_large',
  415: 'request.media_type',
};

/**
 * The one place where what was thrown becomes an answer: a refusal by its kind, an HTTP error by its status, and
 * anything else as a bug, logged whole and shown as nothing but the trace id.
 * @param show renders the page for a browser; without it everybody is answered in JSON
 */
export function errorBoundary(show?: (ctx: AppContext, page: ErrorPage) => string): Middleware {
  return async (ctx, next) => {
    const { state } = ctx as AppContext;
    const answer = (page: ErrorPage, headers: Record<string, string> = {}) => {
      ctx.status = page.status;
      ctx.set('cache-control', 'no-store');
      ctx.set(headers);
      if (show && ctx.accepts('json', 'html') === 'html') {
        ctx.type = 'html';
        ctx.body = show(ctx as AppContext, page);
      } else {
        ctx.body = { error: page.code, trace_id: page.traceId };
      }
    };
    const { traceId } = state;
    try {
      await next();
      // What no door answered. (405 comes from a router that knows the path but not the method.)
      if ([404, 405].includes(ctx.status) && ctx.body == null)
        answer({ status: ctx.status, code: codeOfStatus[ctx.status]!, traceId });
    } catch (thrown) {
      // What the protocol engine was told of a refusal in its own words is still that refusal on our pages.
      const cause = thrown instanceof Error ? thrown.cause : undefined;
      const error = cause instanceof Refusal ? cause : thrown;
      if (error instanceof Refusal) {
        state
          .log()
          .info(
            { refusal: error.code, kind: error.kind, cause: (error.cause as Error | undefined)?.message },
            'refused',
          );
        const { code, kind, retryAfter } = error;
        answer({ status: statusOfKind[kind], code, traceId, retryAfter }, refusalHeaders(error));
      } else if (isHttpError(error)) {
        answer({ status: error.status, code: codeOfStatus[error.status] ?? 'request.refused', traceId });
      } else {
        state.log().error({ err: error }, 'a request failed');
        answer({ status: 500, code: 'internal', traceId });
      }
    }
  };
}
