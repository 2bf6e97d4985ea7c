import { availableParallelism } from 'node:os';
import { createHashing } from '../src/credentials/passwords/hashing.ts';
import { defaultCost } from '../src/credentials/passwords/passwords.ts';
import { type Bench, isGoalMode, type Row } from './support/bench.ts';
import { compare, median } from './support/rounds.ts';
import { password, people } from './support/seeds.ts';

export const bench: Bench = {
  about: 'Whole sign-ins with a password, from the application to a code, beside the bare rate of argon2',
  async run(context) {
    const { place, modes, pace, progress } = context;
    progress('password sign-in');
    // All cores hash, here and there: what is compared is what they allow.
    const settings = { passwords: { hashing_threads: availableParallelism() } };
    const ours = await Promise.all(modes.map((mode) => place.cardea({ ...mode, settings })));
    const plain = await place.passwordReference();
    const bare: number[] = [];
    const figures = await compare(
      [...ours, plain],
      async (target, round) => {
        if (round > 0 && target === ours[0]) bare.push(await argon2Rate(pace.seconds));
        return { connections: 16, steps: [], people };
      },
      pace,
    );
    const reference = median(bare);
    return figures.map((figure, index): Row => {
      const { rate, p50, p99, processor, failures, rates } = figure;
      return {
        bench: 'password sign-in',
        mode: modes[index] ? figure.target.name : 'plain engine, one bare page',
        unit: '/s',
        ours: rate,
        reference,
        ratio: rate / reference,
        p50,
        p99,
        ...(processor !== undefined && { processor }),
        failures,
        note: 'The reference is argon2 alone on all cores; a sign-in is six requests, of the plain engine four.',
        rounds: { ours: rates, reference: bare },
        ...(modes[index] && isGoalMode(modes[index]) && { goal: { wanted: '≥ × 0.9', met: rate / reference >= 0.9 } }),
      };
    });
  },
};

/** Verifications that all cores do in a second when they do nothing else. */
async function argon2Rate(seconds: number): Promise<number> {
  const hashing = createHashing();
  const known = await hashing.hash(password, defaultCost);
  const until = performance.now() + seconds * 1000;
  let count = 0;
  const from = performance.now();
  const loop = async () => {
    while (performance.now() < until) {
      await hashing.verify(known, password);
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: 2 * availableParallelism() }, loop));
  const rate = count / ((performance.now() - from) / 1000);
  await hashing.close();
  return rate;
}
