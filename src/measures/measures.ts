import type { Event } from '../events/index.ts';
import type { ProtocolMeasure } from '../oidc/index.ts';
import {
  createMetrics,
  createRouteOf,
  type Metrics,
  measureRequests,
  type RequestMeasure,
} from '../platform/metrics/index.ts';
import { countEvents } from './happenings.ts';
import { measureProtocol } from './protocol.ts';
import { type Stores, watchStores } from './stores.ts';
import { measureHashing, type Work, watchWork } from './work.ts';

export interface Measures {
  metrics: Metrics;
  /** For {@link Event}s once they are committed. */
  recorded: (event: Event) => void;
  protocol: ProtocolMeasure;
  introspected: (token: 'opaque' | 'jwt', active: boolean) => void;
  /** Seconds a password waited for a hashing thread. */
  hashingWaited: (seconds: number) => void;
  /** Counts requests. @param paths of every route, as the routers spell them */
  requests(paths: readonly string[]): RequestMeasure;
  /** Has how things stand read at each scrape; once, when the rooms are built. */
  watch(rooms: Stores & Work): void;
}

/** @param options.version Cardea's own */
export function createMeasures({ version }: { version: string }): Measures {
  const metrics = createMetrics();
  const build = [[{ version, node: process.versions.node }, 1] as const];
  metrics.gauge('build_info', 'Which Cardea runs on which Node; always 1.', ['version', 'node'], 'max', () => build);
  return {
    metrics,
    recorded: countEvents(metrics),
    ...measureProtocol(metrics),
    hashingWaited: measureHashing(metrics),
    requests: (paths) => measureRequests(metrics, createRouteOf(paths)),
    watch(rooms) {
      watchStores(metrics, rooms);
      watchWork(metrics, rooms);
    },
  };
}
