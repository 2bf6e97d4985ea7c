import type { RequestListener } from 'node:http';
import { prometheusContentType } from 'prom-client';
import { type Listening, listen } from '../http/index.ts';
import type { Log } from '../log.ts';

/**
 * Shows the figures at `/metrics` on a port of their own, which answers nothing else: who may reach the public port does not
 * thereby read them, and a rush on that port does not keep Prometheus out.
 */
export function serveMetrics(options: {
  port: number;
  host: string;
  scrape: () => Promise<string>;
  log: Log;
}): Promise<Listening> {
  const { scrape, log, ...address } = options;
  const handler: RequestListener = (req, res) => {
    const answer = (status: number, body: string, headers: Record<string, string> = {}) => {
      res.writeHead(status, {
        'content-type': prometheusContentType,
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        ...headers,
      });
      res.end(req.method === 'HEAD' ? undefined : body);
    };
    if (req.url?.split('?')[0] !== '/metrics') return answer(404, 'Only /metrics is here.\n');
    if (req.method !== 'GET' && req.method !== 'HEAD') return answer(405, 'GET only.\n', { allow: 'GET, HEAD' });
    scrape().then(
      (text) => answer(200, text),
      (error: unknown) => {
        log.error({ err: error }, 'the metrics could not be gathered');
        answer(500, 'The metrics could not be gathered.\n');
      },
    );
  };
  return listen({ ...address, handler, log, settings: { port: 'CARDEA_METRICS_PORT', host: 'CARDEA_METRICS_HOST' } });
}
