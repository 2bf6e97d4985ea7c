import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, it } from 'vitest';
import { Refusal } from './refusal.ts';
import { together } from './together.ts';

const turn = () => new Promise(setImmediate);

it('asks once for all that ask in one turn, and answers each', async () => {
  const asked: string[][] = [];
  const lengths = together(async (all: string[]) => {
    asked.push(all);
    return all.map(({ length }) => length);
  });
  expect(await Promise.all(['a', 'bb', 'a', ''].map(lengths))).toEqual([1, 2, 1, 0]);
  expect(asked).toEqual([['a', 'bb', 'a', '']]);
  await lengths('a');
  expect(asked).toHaveLength(2);
});

it('whoever asks while the question is under way gets an answer of their own', async () => {
  let value = 'old';
  const read = together(async (all: string[]) => {
    const then = value;
    await turn();
    return all.map(() => then);
  });
  const first = read('x');
  await turn();
  value = 'new';
  expect([await read('x'), await first]).toEqual(['new', 'old']);
});

it('lets so many questions be under way and so many share one, and forgets nobody', async () => {
  const asked: number[] = [];
  let underWay = 0;
  let mostUnderWay = 0;
  const read = together(
    async (all: number[]) => {
      asked.push(all.length);
      mostUnderWay = Math.max(mostUnderWay, ++underWay);
      await turn();
      await turn();
      underWay--;
      return all;
    },
    { atOnce: 2, most: 10 },
  );
  const answers: Promise<number>[] = [];
  for (let n = 0; n < 100; n++) {
    answers.push(read(n));
    if (n % 7 === 0) await turn();
  }
  expect(await Promise.all(answers)).toEqual(Array.from({ length: 100 }, (_, n) => n));
  expect(mostUnderWay).toBe(2);
  expect(Math.max(...asked)).toBeLessThanOrEqual(10);
});

it('fails for those who asked, and for nobody after them', async () => {
  const read = together(async (all: string[]) => {
    if (all.includes('broken')) throw new Error('no answer');
    return all;
  });
  const both = await Promise.allSettled([read('a'), read('broken')]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await read('a')).toBe('a');
});

it('more than share one question go in several at once, and all are told when what they ask is out of reach', async () => {
  const sizes: number[] = [];
  const read = together(
    async (all: number[]) => {
      sizes.push(all.length);
      await turn();
      if (all.includes(5)) throw new Refusal('store.unavailable', { kind: 'unavailable' });
      return all;
    },
    { atOnce: 2, most: 3 },
  );
  const all = await Promise.allSettled(Array.from({ length: 12 }, (_, n) => read(n)));
  expect(sizes).toEqual([3, 3]);
  expect(all.map(({ status }) => status === 'fulfilled')).toEqual(Array.from({ length: 12 }, (_, n) => n < 3));
});

it('does not take up the surroundings of the first to ask', async () => {
  const open = new AsyncLocalStorage<string>();
  const read = together(async (all: string[]) => all.map(() => open.getStore()));
  expect(await open.run('a transaction', () => read('x'))).toBeUndefined();
});
