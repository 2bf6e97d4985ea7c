import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createGround, eventually } from '../../test/support/ground.ts';
import { createVault } from '../platform/index.ts';
import { createEventLog, createEvents, createRelay, type Events, type Subscriber } from './index.ts';

const user = '01900000-0000-7000-8000-000000000001';
const suspended = {
  type: 'user.suspended',
  actor: { kind: 'administrator', id: 'an-administrator' },
  subject: user,
  ip: '192.0.2.7',
  userAgent: 'a browser\0 with \ud800 in it',
  reason: 'left the house',
  data: { from: 'Active', to: 'Suspended' },
} as const;

let ground: Awaited<ReturnType<typeof createGround>>;
let events: Events;
const subscriber: Subscriber = { topic: 'told', wants: ({ type }) => type.startsWith('user.') };

beforeEach(async () => {
  ground = await createGround();
  events = createEvents({ ...ground, subscribers: [subscriber] });
});
afterEach(() => ground.close());

describe('an event', () => {
  it('is one row in the journal and one in the outbox for each subscriber that wants it', async () => {
    await events.record(suspended);
    await events.record({ type: 'session.all_ended', actor: { kind: 'system' }, subject: user, data: { why: 'test' } });
    const journal = await events.history({ subject: user });
    expect(journal.map(({ type }) => type)).toEqual(['session.all_ended', 'user.suspended']);
    expect(journal[1]).toMatchObject({
      actor: suspended.actor,
      ip: '192.0.2.7',
      userAgent: 'a browser with \ufffd in it',
      reason: 'left the house',
      data: suspended.data,
      at: ground.clock.now(),
    });
    expect(await events.backlog()).toMatchObject([{ topic: 'told', waiting: 1, parked: 0 }]);
  });

  it('is taken back with its transaction', async () => {
    const failing = ground.db.transact(async () => {
      await events.record(suspended);
      throw new Error('and then it went wrong');
    });
    await expect(failing).rejects.toThrow('went wrong');
    expect(await events.history()).toEqual([]);
    expect(await events.backlog()).toEqual([]);
  });

  it('wakes the relays after the commit, once for all that happen at one moment', async () => {
    const woken: string[] = [];
    const bus = { ...ground.bus, publish: async (_: string, topic = '') => void woken.push(topic) };
    const waking = createEvents({ ...ground, bus, subscribers: [subscriber] });
    let commit = () => {};
    const held = new Promise<void>((resolve) => {
      commit = resolve;
    });
    const open = ground.db.transact(async () => {
      await waking.record(suspended);
      await held;
    });
    await Promise.all([1, 2, 3].map(() => waking.record({ type: 'setup.completed', actor: { kind: 'system' } })));
    expect(woken).toEqual([]);
    commit();
    await open;
    await eventually(() => expect(woken).toEqual(['told']));
    await ground.db.transact(async () => {
      for (let i = 0; i < 3; i++) await waking.record(suspended);
    });
    await eventually(() => expect(woken).toEqual(['told', 'told']));
  });

  it('wakes the relay of its own process, and others only where that one has no hand free', async () => {
    const here: string[] = [];
    const elsewhere: string[] = [];
    let isFree = true;
    const offer = (_: string, topic: string) => {
      here.push(topic);
      return isFree;
    };
    const bus = { offer, publish: async (_: string, topic = '') => void elsewhere.push(topic) };
    const waking = createEvents({ ...ground, bus, subscribers: [subscriber] });
    await waking.record(suspended);
    await eventually(() => expect([here, elsewhere]).toEqual([['told'], []]));
    isFree = false;
    await waking.record(suspended);
    await eventually(() => expect([here, elsewhere]).toEqual([['told', 'told'], ['told']]));
  });

  it('is told to who counts once it is committed, and never when it is taken back', async () => {
    const counted: string[] = [];
    const counting = createEvents({ ...ground, recorded: ({ type }) => counted.push(type) });
    await ground.db.transact(async () => {
      await counting.record(suspended);
      expect(counted).toEqual([]);
    });
    expect(counted).toEqual(['user.suspended']);
    const failing = ground.db.transact(async () => {
      await counting.record(suspended);
      throw new Error('and then it went wrong');
    });
    await expect(failing).rejects.toThrow('went wrong');
    expect(counted).toEqual(['user.suspended']);
  });

  it('becomes a line of the log once it is committed, without addresses and words', async () => {
    const lines: string[] = [];
    const log = pino({}, { write: (line) => void lines.push(line) });
    const { subscriber, consume } = createEventLog({ log });
    const logged = createEvents({ ...ground, subscribers: [subscriber] });
    const relay = createRelay({ ...ground, consumers: { [subscriber.topic]: consume } });
    relay.start();
    const id = await logged.record(suspended);
    await eventually(() => expect(lines).toHaveLength(1));
    await relay.stop();
    expect(JSON.parse(lines[0]!).event).toMatchObject({
      id,
      type: 'user.suspended',
      subject: user,
      data: suspended.data,
    });
    expect(lines[0]).not.toMatch(/192\.0\.2\.7|browser|left the house/);
  });

  it('is found a page at a time, newest first', async () => {
    for (let i = 0; i < 5; i++) await events.record({ ...suspended, reason: String(i) });
    const first = await events.history({ limit: 3 });
    const second = await events.history({ limit: 3, before: first.at(-1)!.id });
    expect([...first, ...second].map(({ reason }) => reason)).toEqual(['4', '3', '2', '1', '0']);
  });
});

describe('the journal', () => {
  it('refuses to be altered, shortened or emptied', async () => {
    await events.record(suspended);
    for (const sql of [
      `update audit_event set reason = 'another'`,
      `update audit_event set position = 1, digest = 'x', reason = 'another'`,
      'delete from audit_event',
      'truncate audit_event',
    ]) {
      await expect(ground.db.query(sql), sql).rejects.toThrow('append-only');
    }
    await events.chain();
    await expect(ground.db.query(`update audit_event set digest = 'x'`)).rejects.toThrow('append-only');
  });

  it('is intact after many writers wrote at once and two processes chained it', async () => {
    const other = createEvents(await ground.another());
    await Promise.all(Array.from({ length: 60 }, (_, i) => (i % 2 ? events : other).record(suspended)));
    await Promise.all([events.chain(), other.chain(), events.chain()]);
    await events.record(suspended);
    expect(await events.verify()).toEqual({ intact: true, position: 60, open: 1 });
    expect(await events.chain()).toBe(1);
    expect(await events.chain()).toBe(0);
    expect(await events.verify()).toEqual({ intact: true, position: 61, open: 0 });
  });

  it.each([
    ['an altered row', `update audit_event set reason = 'nothing' where position = 2`, 2],
    ['a removed row', 'delete from audit_event where position = 2', 2],
    ['rows cut off at the end', 'delete from audit_event where position >= 2', 1],
    [
      'two rows exchanged',
      `update audit_event e set position = case e.position when 1 then 1000 else 1 end where position in (1, 2)`,
      1,
    ],
  ])('shows %s, even to someone past the triggers', async (_, tampering, position) => {
    for (let i = 0; i < 3; i++) await events.record({ ...suspended, reason: String(i) });
    await events.chain();
    await ground.db.query('alter table audit_event disable trigger user');
    await ground.db.query(tampering);
    expect(await events.verify()).toEqual({ intact: false, position, open: 0 });
  });

  it('stays verifiable when the secret changes', async () => {
    await events.record(suspended);
    await events.chain();
    const both = createVault([
      'a newer secret, also long enough to be one',
      'a secret for tests only, long enough to be one',
    ]);
    await createEvents({ ...ground, vault: both }).reseal();
    const newest = createEvents({ ...ground, vault: createVault('a newer secret, also long enough to be one') });
    expect(await newest.verify()).toMatchObject({ intact: true, position: 1 });
    await expect(events.verify()).rejects.toThrow('secret that is not configured');
  });
});
