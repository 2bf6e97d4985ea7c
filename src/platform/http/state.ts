import type { Context } from 'koa';
import type { Log } from '../log.ts';

/** What the outer middleware leaves on `ctx.state` for the doors. */
export interface AppState {
  /** Names the request in the logs and on an error page. */
  traceId: string;
  /** What is written to it bears the trace's id. */
  log: () => Log;
  /** Of this answer's Content-Security-Policy. */
  nonce: string;
}

export type AppContext = Context & { state: AppState };
