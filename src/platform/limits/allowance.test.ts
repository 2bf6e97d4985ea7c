import { afterEach, expect, it, vi } from 'vitest';
import { countsStore } from '../../../test/support/counts.ts';
import { createAllowance } from './allowance.ts';
import type { Budget } from './budget.ts';

afterEach(() => void vi.useRealTimers());

const budget: Budget = { name: 'test', points: 105, seconds: 60, onFault: 'open' };

const asked = (allowance: ReturnType<typeof createAllowance>, key: string, times: number) =>
  Promise.allSettled(Array.from({ length: times }, () => allowance.demand(key)));
const through = (results: PromiseSettledResult<unknown>[]) =>
  results.filter(({ status }) => status === 'fulfilled').length;

it('lets exactly the budget in, however many ask at once, and few of them meet the store', async () => {
  const { limits, taken } = countsStore();
  const allowance = createAllowance({ limits, budget });
  const results = await asked(allowance, 'a', 200);
  expect(through(results)).toBe(105);
  expect(results.at(-1)).toMatchObject({
    reason: { code: 'limit.exceeded', retryAfter: 30, details: { points: 105 } },
  });
  expect(taken.get('a')).toBe(12);
  expect(await allowance.demand('b')).toEqual({ taken: 1, retryAfter: 30 });
  expect(await allowance.demand('b')).toEqual({ taken: 2, retryAfter: 30 });
});

it('two processes together let in no more than the budget', async () => {
  const { limits } = countsStore();
  const [first, second] = [createAllowance({ limits, budget }), createAllowance({ limits, budget })];
  const results = await Promise.all([asked(first, 'a', 100), asked(second, 'a', 100)]);
  expect(through(results.flat())).toBeLessThanOrEqual(105);
  expect(through(results.flat())).toBeGreaterThan(95);
});

it('takes the next ones before the last is gone, so that whoever asks does not wait', async () => {
  const { limits, taken } = countsStore();
  const allowance = createAllowance({ limits, budget });
  for (let turn = 1; turn <= 4; turn++) await allowance.demand('a');
  expect(taken.get('a')).toBe(1);
  expect(await allowance.demand('a')).toEqual({ taken: 5, retryAfter: 30 });
  expect(taken.get('a')).toBe(2);
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  expect(await allowance.demand('a')).toEqual({ taken: 6, retryAfter: 30 });
});

it('begins anew when the window has ended, with nothing of the one before', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const { limits, taken } = countsStore();
  const allowance = createAllowance({ limits, budget });
  await asked(allowance, 'a', 106);
  await expect(allowance.demand('a')).rejects.toMatchObject({ code: 'limit.exceeded' });
  vi.advanceTimersByTime(31_000);
  taken.clear();
  expect(await allowance.demand('a')).toEqual({ taken: 1, retryAfter: 30 });
});

it('a count that fails is the failure of whoever asked, and the next asks again', async () => {
  const failing = vi.fn(async () => Promise.reject(new Error('away')));
  const allowance = createAllowance({ limits: { take: failing }, budget });
  await expect(allowance.demand('a')).rejects.toThrow('away');
  await expect(allowance.demand('a')).rejects.toThrow('away');
  expect(failing).toHaveBeenCalledTimes(2);
});
