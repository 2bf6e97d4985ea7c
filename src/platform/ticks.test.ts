import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

/** How long a tick takes to write down, at best, after forty full collections. @param first what is done before */
const tick = `
  const wait = () => new Promise((resolve) => setTimeout(resolve, 2));
  const probe = () => {
    const from = performance.now();
    for (let index = 0; index < 20_000; index++) process.nextTick(() => {});
    return ((performance.now() - from) * 1e6) / 20_000;
  };
  for (let round = 0; round < 12; round++) { probe(); await wait(); }
  for (let round = 0; round < 40; round++) { gc(); await wait(); }
  const all = [];
  for (let round = 0; round < 20; round++) { all.push(probe()); await wait(); }
  console.log(Math.min(...all));`;

const nanoseconds = async (first: string): Promise<number> => {
  const args = ['--expose-gc', '--input-type=module', '--eval', first + tick];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname });
  return Number(stdout);
};

it('a tick that is held keeps all others quick after full collections', async () => {
  const kept = await nanoseconds(`import { keepTicks } from './ticks.ts'; keepTicks();`);
  const plain = await nanoseconds('');
  expect(kept).toBeLessThan(plain / 2);
});
