import { afterEach, expect, it, vi } from 'vitest';
import { countsStore } from '../../../test/support/counts.ts';
import type { Budget } from './budget.ts';
import { createRate } from './rate.ts';

afterEach(() => void vi.useRealTimers());

const budget: Budget = { name: 'test', points: 1_000, seconds: 60, onFault: 'open' };

/** @returns how many went through */
async function ask(rate: ReturnType<typeof createRate>, key: string, times: number): Promise<number> {
  let through = 0;
  for (let turn = 0; turn < times; turn++) {
    try {
      await rate.demand(key);
      through++;
    } catch (error) {
      expect(error).toMatchObject({ code: 'limit.exceeded', details: { points: 1_000, seconds: 60 } });
    }
  }
  return through;
}

it('whoever asks little never meets the store, and two processes together allow the budget and little more', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const { limits, taken } = countsStore();
  const [first, second] = [createRate({ limits, budget }), createRate({ limits, budget })];
  expect(await ask(first, 'little', 49)).toBe(49);
  expect(taken.size).toBe(0);
  const through = (await ask(first, 'much', 800)) + (await ask(second, 'much', 800)) + (await ask(first, 'much', 800));
  expect(through).toBeGreaterThanOrEqual(1_000);
  expect(through).toBeLessThan(1_000 + 2 * 50);
  expect(await ask(first, 'another', 10)).toBe(10);
});

it('refuses without asking the store until the time it was told, then begins anew', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const { limits, taken } = countsStore();
  const rate = createRate({ limits, budget: { ...budget, points: 10 } });
  expect(await ask(rate, 'a', 0)).toBe(0);
  for (let turn = 0; turn < 10; turn++) await rate.demand('a');
  const refused = async () => rate.demand('a');
  await expect(refused()).rejects.toMatchObject({ retryAfter: 30 });
  const before = taken.get('a');
  await expect(refused()).rejects.toMatchObject({ code: 'limit.exceeded' });
  expect(taken.get('a')).toBe(before);
  vi.advanceTimersByTime(61_000);
  taken.clear();
  await rate.demand('a');
});
