/**
 * Figures for Prometheus: a registry of this process's own, the server that shows it on a port of its own, and the
 * gathering of several processes' figures by the first one. What is counted, and when, is said elsewhere.
 */
export { answerGatherer, gatherFromWorkers } from './gather.ts';
export { measureRequests, type RequestMeasure } from './http.ts';
export { createMetrics, type Labels, type Metrics, type Reading } from './metrics.ts';
export { createRouteOf } from './routes.ts';
export { type Probe, probe, sampled } from './sampled.ts';
export { serveMetrics } from './serve.ts';
