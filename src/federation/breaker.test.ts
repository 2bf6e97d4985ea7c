import { expect, it } from 'vitest';
import { createMovableClock } from '../../test/support/ground.ts';
import { createBreaker } from './breaker.ts';

const down = () => Promise.reject(new TypeError('fetch failed'));
const unreachable = { code: 'federation.unreachable', kind: 'unavailable' };

it('after failures in a row nobody waits for a while; the next one tries again', async () => {
  const clock = createMovableClock();
  const attempt = createBreaker({ clock, failures: 3, seconds: 30 });
  for (let times = 0; times < 3; times++)
    await expect(attempt('a', down, () => true)).rejects.toMatchObject(unreachable);
  let asked = 0;
  const up = async () => ++asked;
  await expect(attempt('a', up, () => true)).rejects.toMatchObject(unreachable);
  expect([asked, await attempt('b', up, () => true)]).toEqual([0, 1]);
  clock.move(31);
  expect(await attempt('a', up, () => true)).toBe(2);
});

it('an answer that is refused is an answer', async () => {
  const attempt = createBreaker({ clock: createMovableClock(), failures: 1 });
  for (let times = 0; times < 3; times++) await expect(attempt('a', down, () => false)).rejects.toThrow('fetch failed');
});

it('no more than so many wait at once', async () => {
  const attempt = createBreaker({ clock: createMovableClock(), most: 2 });
  const { promise, resolve } = Promise.withResolvers<string>();
  const waiting = [1, 2].map(() =>
    attempt(
      'a',
      () => promise,
      () => true,
    ),
  );
  await expect(
    attempt(
      'a',
      () => promise,
      () => true,
    ),
  ).rejects.toMatchObject(unreachable);
  resolve('ok');
  expect(await Promise.all(waiting)).toEqual(['ok', 'ok']);
});
