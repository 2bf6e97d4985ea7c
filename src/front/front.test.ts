import { createServer } from 'node:http';
import { afterEach, expect, it, vi } from 'vitest';
import { createFront } from './front.ts';

let stop = () => {};
afterEach(() => stop());

/** One short way, at which everything fails. */
async function failing(traced?: () => string) {
  const log = { error: vi.fn(), info: vi.fn() };
  const measure = vi.fn();
  const fault = new Error('a mistake of ours');
  const way = {
    ...({ method: 'GET', path: '/token' } as const),
    takes: () => true,
    answer: async () => {
      throw fault;
    },
  };
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stop = () => server.close();
  const issuer = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  const ports = { issuer, isTrusted: () => true, log: log as never, measure, traced };
  server.on(
    'request',
    createFront(ports, [way], () => {}),
  );
  const ask = (traceparent: string) => fetch(`${issuer}/token`, { headers: { traceparent } });
  return { log, measure, fault, ask };
}

const span = 'b'.repeat(16);

it('a fault in front of the engine is told, counted and traced like any answer, under one id', async () => {
  const traced = vi.fn(() => 'c'.repeat(32));
  const { log, measure, fault, ask } = await failing(traced);
  const response = await ask('');
  expect([response.status, response.headers.get('x-request-id')]).toEqual([500, 'c'.repeat(32)]);
  expect(await response.json()).toMatchObject({ error: 'server_error' });
  expect(traced).toHaveBeenCalledWith(expect.objectContaining({ route: '/token', status: 500 }));
  expect(measure).toHaveBeenCalledWith('GET', '/token', 500, expect.any(Number));
  expect(log.error).toHaveBeenCalledExactlyOnceWith({ trace: 'c'.repeat(32), err: fault }, 'a request failed');
});

it.each([
  ['a trace', `00-${'a'.repeat(32)}-${span}-00`, 'a'.repeat(32)],
  ['no trace’s id', `00-${'0'.repeat(32)}-${span}-01`, undefined],
  ['no span’s id', `00-${'a'.repeat(32)}-${'0'.repeat(16)}-01`, undefined],
  ['capitals', `00-${'A'.repeat(32)}-${span}-01`, undefined],
  ['another version', `ff-${'a'.repeat(32)}-${span}-01`, undefined],
  ['ten thousand letters', 'a'.repeat(10_000), undefined],
  ['two traces', `00-${'a'.repeat(32)}-${span}-01, 00-${'d'.repeat(32)}-${span}-01`, undefined],
])('the id of a request is its caller’s only if that is one: %s', async (_, traceparent, id) => {
  const { ask } = await failing();
  const told = (await ask(traceparent)).headers.get('x-request-id');
  if (id) expect(told).toBe(id);
  else expect(told).toMatch(/^(?!0+$|a+$)[0-9a-f]{32}$/);
});
