import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { traceIdOf } from '../platform/http/index.ts';
import { type Log, Refusal, refusalHeaders, statusOfKind } from '../platform/index.ts';
import type { AnsweredRequest } from '../platform/telemetry/index.ts';
import { inOriginForm, isPlain, readAgain, readBody } from './request.ts';

/** How one endpoint is answered here. */
export interface ShortWay {
  method: 'GET' | 'POST';
  path: string;
  /** Whether it may be, as far as the headers tell. */
  takes(request: IncomingMessage): boolean;
  /**
   * @param body empty for a GET
   * @returns undefined for whatever goes the long way
   * @throws Refusal limited or unavailable; it is answered in the engine's words
   */
  answer(request: IncomingMessage, body: string): Promise<object | undefined>;
  /** Called before the request goes the long way. */
  leave?(request: IncomingMessage, body: string): Promise<void> | undefined;
}

export interface FrontPorts {
  issuer: string;
  isTrusted: (request: IncomingMessage) => boolean;
  log: Log;
  /** Called for each request answered here: for counting. @param seconds it took */
  measure?: ((method: string, route: string, status: number, seconds: number) => void) | undefined;
  /** Notes each for whom traces are kept. @returns the trace's id */
  traced?: ((request: AnsweredRequest) => string) | undefined;
}

/** @param engine answers all other requests */
export function createFront(ports: FrontPorts, ways: readonly ShortWay[], engine: RequestListener): RequestListener {
  const { issuer, isTrusted, log, measure, traced } = ports;
  const { host, protocol } = new URL(issuer);
  const byPath = new Map(ways.map((way) => [`${way.method} ${way.path}`, way]));
  const common = {
    'cache-control': 'no-store',
    'content-type': 'application/json; charset=utf-8',
    'x-content-type-options': 'nosniff',
    ...(protocol === 'https:' && { 'strict-transport-security': 'max-age=63072000; includeSubDomains' }),
  };

  const serve = async (way: ShortWay, request: IncomingMessage, response: ServerResponse) => {
    const { method, path } = way;
    const started = performance.now();
    const body = method === 'POST' ? await readBody(request) : none;
    if (!body) return;
    const text = body.toString('latin1');
    let status = 200;
    let given: object | undefined;
    let fault: unknown;
    const more: Record<string, string> = {};
    try {
      given = await way.answer(request, text);
      if (!given) {
        if (method === 'POST') readAgain(request, body);
        await way.leave?.(request, text);
        return engine(request, response);
      }
    } catch (thrown) {
      // What was already told in the engine's words is still that refusal.
      const error = thrown instanceof Error && thrown.cause instanceof Refusal ? thrown.cause : thrown;
      if (error instanceof Refusal && (error.kind === 'unavailable' || error.kind === 'limited')) {
        status = statusOfKind[error.kind];
        given = error.kind === 'limited' ? tooMany : unavailable;
        Object.assign(more, { 'retry-after': '2' }, refusalHeaders(error));
      } else {
        fault = thrown;
        status = 500;
        given = failed;
      }
    }
    const caller = request.headers.traceparent as string | undefined;
    const trace = traced ? traced({ method, route: path, status, started, traceparent: caller }) : traceIdOf(caller);
    if (status === 500) log.error({ trace, err: fault }, 'a request failed');
    const said = JSON.stringify(given);
    const length = Buffer.byteLength(said);
    response.writeHead(status, { ...common, ...more, 'x-request-id': trace, 'content-length': length });
    response.end(said);
    const took = performance.now() - started;
    measure?.(method, path, status, took / 1000);
    log.info({ trace, method, path, status, ms: Math.round(took) }, 'request');
  };

  return (request, response) => {
    inOriginForm(request, host);
    const way = byPath.get(`${request.method} ${request.url}`);
    if (!way || !isPlain(request, host, isTrusted) || !way.takes(request)) return engine(request, response);
    serve(way, request, response).catch((error: unknown) => {
      log.error({ err: error }, 'a request failed');
      if (response.headersSent) return response.destroy();
      response.writeHead(500, common).end(JSON.stringify(failed));
    });
  };
}

const none = Buffer.alloc(0);

/** In the engine's words (`TooMany`, `StoreUnavailable`). */
const tooMany = { error: 'temporarily_unavailable', error_description: 'too many requests, try again later' };
const unavailable = {
  error: 'temporarily_unavailable',
  error_description: 'the service cannot answer just now, try again in a moment',
};
const failed = { error: 'server_error', error_description: 'oops! something went wrong' };
