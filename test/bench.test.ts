import { execFile, spawn } from 'node:child_process';
import { createServer, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
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

const right = (res: ServerResponse) => res.end('{"active":true}');
const silent = () => {};

it.each([
  ['right', right, false],
  ['wrong', (res: ServerResponse) => res.end('{"active":false}'), true],
  ['a fault', (res: ServerResponse) => res.writeHead(500).end('{"active":true}'), true],
  ['broken off', (res: ServerResponse) => res.destroy(), true],
  ['silence', silent, true],
] as const)('answers that are %s are taken for that by the load generator', async (_, answer, fails) => {
  // Among right ones, that are counted: failures are told beside them.
  let asked = 0;
  const next = () => (answer === silent || asked++ % 2 ? answer : right);
  const server = createServer((req, res) => req.resume().on('end', () => next()(res)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const step = { kind: 'fixed', method: 'POST', path: '/introspect', body: 'token=one', marker: '"active":true' };
  const run = async (env: NodeJS.ProcessEnv) => {
    const child = spawn(process.execPath, ['bench/support/load.ts'], { cwd: root, env });
    child.stdin.end(JSON.stringify({ port, connections: 2, seconds: 1, steps: [step] }));
    return JSON.parse(await text(child.stdout));
  };
  // With wrk, if it is here, and without.
  const runs = await Promise.all([run(process.env), run({ ...process.env, PATH: '' })]);
  server.closeAllConnections();
  server.close();
  for (const { rate, count, failures, sample } of runs) {
    expect(fails ? failures > 0 && sample.length > 0 : failures === 0 && count > 0).toBe(true);
    expect(rate).toBeGreaterThanOrEqual(0);
  }
});
