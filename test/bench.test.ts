import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const bench = (...args: string[]) =>
  promisify(execFile)(process.execPath, ['bench/run.ts', ...args], { cwd: root, maxBuffer: 2 ** 24 });

it('a benchmark runs, on what it starts itself, and gives our figure, the reference’s and the ratio', async () => {
  const { stdout } = await bench('userinfo', '--modes', 'postgres', '--rounds', '1', '--seconds', '1', '--json');
  const { machine, rows } = JSON.parse(stdout);
  expect(machine).toMatchObject({ cores: expect.any(Number), loadAtStart: expect.any(Array), node: process.version });
  expect(machine.generator).toMatch(/autocannon$/);
  expect(rows).toHaveLength(1);
  const [row] = rows;
  expect(row).toMatchObject({ bench: 'userinfo', mode: 'PostgreSQL', unit: '/s', failures: 0 });
  for (const figure of [row.ours, row.reference, row.ceiling, row.p50, row.p99]) expect(figure).toBeGreaterThan(0);
  expect(row.ratio).toBeCloseTo(row.ours / row.reference);
});

it('the benchmarks are listed, and one that is not there is refused', async () => {
  const { stdout } = await bench();
  for (const name of ['introspection', 'sign-in', 'start-up', 'memory']) expect(stdout).toContain(`  ${name} `);
  await expect(bench('introspektion')).rejects.toMatchObject({ code: 2 });
});
