import { executionAsyncResource } from 'node:async_hooks';

/** Held for good. */
const kept: object[] = [];

/**
 * Keeps `process.nextTick` as quick as it was made. Node writes down each tick as an object with computed keys. After a few
 * full collections in which none of them lived, V8 has forgotten the shape of such objects, meets another one, and from
 * then on takes ten times as long over each tick (30 ns, then 300; an HTTP request takes some six). One that is held keeps
 * the shape. Call before there has been a collection.
 */
export function keepTicks(): void {
  process.nextTick(() => {
    kept.push(executionAsyncResource());
  });
}
