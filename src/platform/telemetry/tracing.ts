import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Middleware } from 'koa';
import { type AppContext, readTraceparent } from '../http/index.ts';
import { createRouteOf } from '../metrics/index.ts';
import { type Tracer, traceTo } from '../spans.ts';
import { traceFetch } from './fetch.ts';

const kinds = { client: SpanKind.CLIENT, consumer: SpanKind.CONSUMER, internal: SpanKind.INTERNAL };
const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
/** Milliseconds a stop waits for the last spans to be taken. */
const patience = 3_000;

/** One that was answered without middleware. */
export interface AnsweredRequest {
  method: string;
  route: string;
  status: number;
  /** `performance.now()` when it came. */
  started: number;
  /** Its header. */
  traceparent?: string | undefined;
}

interface TracingOptions {
  url: string;
  headers: readonly string[];
  sample: number;
  service: string;
  attributes: readonly string[];
  version: string;
}

const pairs = (lines: readonly string[]) =>
  Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));

/**
 * Sends traces by OTLP over HTTP (JSON). Spans wait in a queue of bounded length and leave in batches; what does not fit
 * or is not taken is lost, and no request waits for it.
 */
export function startTracing(options: TracingOptions) {
  const { url, headers, sample, service, attributes, version } = options;
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': service, 'service.version': version, ...pairs(attributes) }),
    // Whoever calls us within a trace has decided for all of it.
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sample) }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new OTLPTraceExporter({ url, headers: pairs(headers), timeoutMillis: 5_000 }),
        scheduledDelayMillis: 1_000,
        exportTimeoutMillis: 5_000,
      }),
    ],
  });
  const tracer = provider.getTracer('cardea', version);
  const active = new AsyncLocalStorage<Span>();

  const open = (name: string, kind: SpanKind, more: Omit<SpanOptions, 'kind'>, parent?: Span) =>
    tracer.startSpan(name, { kind, ...more }, parent ? trace.setSpan(ROOT_CONTEXT, parent) : ROOT_CONTEXT);

  const run = async <T>(span: Span, work: () => Promise<T>): Promise<T> => {
    try {
      return await active.run(span, work);
    } catch (error) {
      // By name: what an error says may quote what it was given.
      span.setAttribute(
        'error.type',
        error instanceof Error ? ((error as { code?: string }).code ?? error.name) : 'unknown',
      );
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  };

  const spans: Tracer = {
    span(name, { kind = 'internal', attributes = {}, root = false }, work) {
      const parent = active.getStore();
      if (!(parent?.isRecording() || (root && !parent))) return work();
      return run(open(name, kinds[kind], { attributes }, parent), work);
    },
  };
  traceTo(spans);
  const restoreFetch = traceFetch(spans);

  return {
    answered({ method, route, status, started, traceparent = '' }: AnsweredRequest): string {
      const attributes = { 'http.request.method': method, 'http.route': route, 'http.response.status_code': status };
      const startTime = performance.timeOrigin + started;
      const span = open(`${method} ${route}`, SpanKind.SERVER, { attributes, startTime }, callerOf(traceparent));
      if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
      return span.spanContext().traceId;
    },
    requests(routes: Iterable<string>): Middleware {
      const routeOf = createRouteOf(routes);
      return async (ctx, next) => {
        const method = methods.has(ctx.method) ? ctx.method : '_OTHER';
        const route = routeOf(ctx.path);
        const attributes = { 'http.request.method': method, 'http.route': route, 'url.scheme': ctx.protocol };
        const span = open(`${method} ${route}`, SpanKind.SERVER, { attributes }, callerOf(ctx.get('traceparent')));
        (ctx as AppContext).state.traceId = span.spanContext().traceId;
        await run(span, async () => {
          await next();
          span.setAttribute('http.response.status_code', ctx.status);
          if (ctx.status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
        });
      };
    },
    async close() {
      traceTo(undefined);
      restoreFetch();
      await Promise.race([provider.shutdown(), sleep(patience, undefined, { ref: false })]);
    },
  };
}

/** The span of whoever calls, if it names itself. */
function callerOf(header: string): Span | undefined {
  const caller = readTraceparent(header);
  if (!caller) return undefined;
  const { traceId, spanId, flags } = caller;
  const traceFlags = Number.parseInt(flags, 16) & TraceFlags.SAMPLED;
  return trace.wrapSpanContext({ traceId, spanId, traceFlags, isRemote: true });
}
