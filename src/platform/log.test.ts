import { expect, it } from 'vitest';
import { createLog } from './log.ts';

it('no line carries the rows that a database quotes in its faults', () => {
  const lines: string[] = [];
  const log = createLog({ level: 'info', to: { write: (line) => void lines.push(line) } });
  const detail = 'Key (email_key)=(ada@example.com) already exists.';
  const fault = Object.assign(new Error(`duplicate key value\n - detail: ${detail}`), {
    detail,
    constraint: 'the_key',
  });
  log.error({ err: fault }, 'a request failed');
  log.error({ err: new Error('could not be stored', { cause: fault }) }, 'a request failed');
  log.error({ err: 'not an error at all' }, 'odd');
  expect(lines.join()).not.toContain('ada@');
  expect(JSON.parse(lines[0]!).err).toMatchObject({ message: 'duplicate key value', constraint: 'the_key' });
  expect(JSON.parse(lines[1]!).err.stack).toContain('caused by');
});

it('a request that cannot be parsed is told of, and nothing that was sent in it', () => {
  const lines: string[] = [];
  const log = createLog({ level: 'info', to: { write: (line) => void lines.push(line) } });
  const rawPacket = Buffer.from('client_secret=hush');
  log.warn({ err: Object.assign(new Error('Parse Error'), { rawPacket }) }, 'a connection failed');
  const { err } = JSON.parse(lines[0]!);
  expect(err.message).toBe('Parse Error');
  expect(err).not.toHaveProperty('rawPacket');
});
