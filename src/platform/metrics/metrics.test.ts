import { describe, expect, it, vi } from 'vitest';
import { createMetrics, createRouteOf, probe, sampled } from './index.ts';

describe('a route', () => {
  const routeOf = createRouteOf(['/', '/token', '/signin/:uid', '/signin/:uid/:step', '/signin/:uid/cancel']);

  it.each([
    ['/', '/'],
    ['/token', '/token'],
    ['/signin/4711', '/signin/:uid'],
    ['/signin/4711/password', '/signin/:uid/:step'],
    ['/signin/4711/cancel', '/signin/:uid/cancel'],
    ['/signin/', 'other'],
    ['/signin//password', 'other'],
    ['/signin/4711/password/more', 'other'],
    ['/token/', 'other'],
    ['/constructor', 'other'],
    [`/${'a/'.repeat(5_000)}`, 'other'],
  ])('of %s is %s', (path, route) => {
    expect(routeOf(path)).toBe(route);
  });
});

describe('a label', () => {
  it('takes names of ours, so many and no more', async () => {
    const metrics = createMetrics();
    const count = metrics.counter('things_total', 'Things.', ['kind']);
    for (let n = 0; n < 500; n++) count({ kind: `kind-${n}` });
    for (const kind of ['ada@example.com', 'a b', '', 'x'.repeat(81), 'a"b\nc']) count({ kind });
    const lines = (await metrics.scrape()).split('\n').filter((line) => line.startsWith('cardea_things_total{'));
    expect(lines).toHaveLength(101);
    expect(lines).toContain('cardea_things_total{kind="other"} 405');
  });

  it('registries know nothing of one another', async () => {
    const [one, other] = [createMetrics(), createMetrics()];
    one.counter('things_total', 'Things.')();
    other.counter('things_total', 'Things.');
    expect(await one.scrape()).toContain('cardea_things_total 1');
    expect(await other.scrape()).toContain('cardea_things_total 0');
  });
});

describe('what is asked at a scrape', () => {
  it('is asked once for all that scrape within a while, and not again before', async () => {
    const take = vi.fn(async () => 'found');
    const look = sampled(0.05, take);
    expect(await Promise.all([look(), look(), look()])).toEqual(['found', 'found', 'found']);
    expect(take).toHaveBeenCalledTimes(1);
    await vi.waitFor(async () => {
      await look();
      expect(take).toHaveBeenCalledTimes(2);
    });
  });

  it('a store that hangs or refuses holds up no scrape', async () => {
    const hanging = () => new Promise<never>(() => undefined);
    const refusing = () => Promise.reject(new Error('no'));
    for (const ask of [hanging, refusing]) {
      expect(await probe(ask)).toEqual({ up: 0, seconds: undefined });
      expect(await sampled(10, ask)()).toBeUndefined();
    }
    expect(await probe(async () => 'here')).toMatchObject({ up: 1, seconds: expect.any(Number) });
  });

  it('a gauge that cannot be read has no value, and the others have theirs', async () => {
    const metrics = createMetrics();
    metrics.gauge('away', 'Away.', [], 'max', () => undefined);
    metrics.gauge('there', 'There.', ['kind'], 'max', () => [[{ kind: 'a' }, 3]]);
    const text = await metrics.scrape();
    expect(text).not.toMatch(/^cardea_away/m);
    expect(text).toContain('cardea_there{kind="a"} 3');
  });
});
