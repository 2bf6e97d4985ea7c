import type { Tracer } from '../spans.ts';

/**
 * A span for every call out, by host alone: paths and queries hold identifiers. Others are not told of our trace.
 * @returns puts things back
 */
export function traceFetch(tracer: Tracer): () => void {
  const plain = globalThis.fetch;
  globalThis.fetch = (input, init) => {
    const url = URL.parse(input instanceof Request ? input.url : String(input));
    const method = init?.method?.toUpperCase() ?? (input instanceof Request ? input.method : 'GET');
    const attributes = { 'http.request.method': method, 'server.address': url?.hostname ?? 'unknown' };
    return tracer.span(`${method} ${url?.hostname ?? ''}`.trim(), { kind: 'client', attributes }, () =>
      plain(input, init),
    );
  };
  return () => {
    globalThis.fetch = plain;
  };
}
