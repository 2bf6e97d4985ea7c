import { randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { type Log, type Rate, Refusal, refusalHeaders, type Stops, statusOfKind } from '../platform/index.ts';
import type { Answer, createAnswer } from './answer.ts';
import type { KnownCallers } from './callers.ts';
import { type Asked, isPlain, readAgain, readAsked, readBody } from './request.ts';

export interface FrontPorts {
  issuer: string;
  /** Of introspection. */
  path: string;
  answer: ReturnType<typeof createAnswer>;
  callers: KnownCallers;
  /** How much a client may ask for. */
  rate: Rate;
  isTrusted: (request: IncomingMessage) => boolean;
  stops: Stops;
  log: Log;
  /** Called for each request answered here: for counting. @param seconds it took */
  measure?: ((method: string, route: string, status: number, seconds: number) => void) | undefined;
}

const traceparent = /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/;

/**
 * Introspection in front of everything else: a plain question by somebody known is answered with one round trip and
 * nothing in between. All others, and whatever is to be refused, go the long way with the same answer at its end.
 * @param engine answers all other requests
 */
export function createFront(ports: FrontPorts, engine: RequestListener): RequestListener {
  const { issuer, path, answer, callers, rate, isTrusted, stops, log, measure } = ports;
  const { host, protocol } = new URL(issuer);
  const common = {
    'cache-control': 'no-store',
    'content-type': 'application/json; charset=utf-8',
    'x-content-type-options': 'nosniff',
    ...(protocol === 'https:' && { 'strict-transport-security': 'max-age=63072000; includeSubDomains' }),
  };

  const long = async (request: IncomingMessage, response: ServerResponse, body: Buffer) => {
    readAgain(request, body);
    // The engine will look at what is remembered of the client.
    await stops.catchUp().catch(() => {});
    callers.began(request);
    engine(request, response);
  };

  const short = async (asked: Asked): Promise<Answer | undefined> => {
    const caller = callers.find(asked.proof);
    if (!caller || (asked.clientId ?? caller.clientId) !== caller.clientId) return undefined;
    const due = caller.isPublic ? undefined : rate.demand(caller.clientId);
    if (due) await due;
    const given = await answer(caller, asked.token);
    // By now it is known what was stopped: the caller, perhaps.
    return callers.isGood(caller) ? given : undefined;
  };

  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const started = performance.now();
    const body = await readBody(request);
    if (!body) return;
    const trace = traceparent.exec(String(request.headers.traceparent))?.[1] ?? randomUUID().replaceAll('-', '');
    const asked = readAsked(request.headers.authorization, body.toString('latin1'));
    let status = 200;
    let given: object | undefined;
    const more: Record<string, string> = {};
    try {
      given = asked && (await short(asked));
      if (!given) return await long(request, response, body);
    } catch (error) {
      if (!(error instanceof Refusal) || (error.kind !== 'unavailable' && error.kind !== 'limited')) throw error;
      status = statusOfKind[error.kind];
      given = error.kind === 'limited' ? tooMany : unavailable;
      Object.assign(more, { 'retry-after': '2' }, refusalHeaders(error));
    }
    const text = JSON.stringify(given);
    response.writeHead(status, {
      ...common,
      ...more,
      'x-request-id': trace,
      'content-length': Buffer.byteLength(text),
    });
    response.end(text);
    const took = performance.now() - started;
    measure?.('POST', path, status, took / 1000);
    log.info({ trace, method: 'POST', path, status, ms: Math.round(took) }, 'request');
  };

  return (request, response) => {
    if (request.url !== path || request.method !== 'POST' || !isPlain(request, host, isTrusted))
      return engine(request, response);
    serve(request, response).catch((error: unknown) => {
      log.error({ err: error }, 'a request failed');
      if (response.headersSent) return response.destroy();
      response.writeHead(500, common).end(JSON.stringify(failed));
    });
  };
}

/** In the engine's words (`TooMany`, `StoreUnavailable`). */
const tooMany = { error: 'temporarily_unavailable', error_description: 'too many requests, try again later' };
const unavailable = {
  error: 'temporarily_unavailable',
  error_description: 'the service cannot answer just now, try again in a moment',
};
const failed = { error: 'server_error', error_description: 'oops! something went wrong' };
