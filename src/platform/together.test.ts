import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, it } from 'vitest';
import { together } from './together.ts';

const asked: string[][] = [];
const lengths = together(async (keys) => {
  asked.push(keys);
  if (keys.includes('broken')) throw new Error('no answer');
  return new Map(keys.filter((key) => key !== 'nobody').map((key) => [key, key.length]));
});

it('asks once for all that ask in one turn, each thing once', async () => {
  asked.length = 0;
  expect(await Promise.all(['a', 'bb', 'a', 'nobody'].map(lengths))).toEqual([1, 2, 1, undefined]);
  expect(asked).toEqual([['a', 'bb', 'nobody']]);
  await lengths('a');
  expect(asked).toHaveLength(2);
});

it('whoever asks while the question is under way gets an answer of their own', async () => {
  let value = 'old';
  const read = together(async ([key]) => {
    const then = value;
    await new Promise(setImmediate);
    return new Map([[key!, then]]);
  });
  const first = read('x');
  await new Promise(setImmediate);
  value = 'new';
  expect([await read('x'), await first]).toEqual(['new', 'old']);
});

it('fails for those who asked, and for nobody after them', async () => {
  await expect(Promise.all([lengths('a'), lengths('broken')])).rejects.toThrow('no answer');
  expect(await lengths('a')).toBe(1);
});

it('does not take up the surroundings of the first to ask', async () => {
  const open = new AsyncLocalStorage<string>();
  const read = together(async ([key]) => new Map([[key!, open.getStore()]]));
  expect(await open.run('a transaction', () => read('x'))).toBeUndefined();
});
