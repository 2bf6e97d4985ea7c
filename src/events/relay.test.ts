import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createGround, eventually, type Ground } from '../../test/support/ground.ts';
import { type ConsumerOptions, createEvents, createRelay, type Events, type Relay, Undeliverable } from './index.ts';

let ground: Awaited<ReturnType<typeof createGround>>;
let events: Events;
let relays: Relay[];

beforeEach(async () => {
  ground = await createGround();
  events = createEvents(ground);
  relays = [];
});
afterEach(async () => {
  await Promise.all(relays.map((relay) => relay.stop()));
  await ground.close();
});

const relay = (consumers: Record<string, ConsumerOptions>, on: Ground = ground, pollSeconds = 0.05) => {
  const made = createRelay({ ...on, consumers, pollSeconds });
  relays.push(made);
  made.start();
  return made;
};

/** A consumer that notes what it was given. */
const notebook = () => {
  const notes: unknown[] = [];
  const consume = async (payload: unknown) => void notes.push(payload);
  return { notes, consume };
};

const emptied = () => eventually(async () => expect(await events.backlog()).toEqual([]));

describe('the relay', () => {
  it('delivers at the commit, woken and not by chance', async () => {
    const { notes, consume } = notebook();
    relay({ letters: { consume } }, ground, 600);
    await wait(100);
    await ground.db.transact(async () => {
      await events.enqueue('letters', 'one');
      await wait(100);
      expect(notes).toEqual([]);
    });
    await eventually(() => expect(notes).toEqual(['one']));
    await emptied();
  });

  it('tells nothing of what was rolled back', async () => {
    const { notes, consume } = notebook();
    relay({ letters: { consume } });
    await ground.db
      .transact(async () => {
        await events.enqueue('letters', 'never');
        throw new Error('no');
      })
      .catch(() => {});
    await events.enqueue('letters', 'after');
    await emptied();
    expect(notes).toEqual(['after']);
  });

  it('waits until a message may be delivered', async () => {
    const { notes, consume } = notebook();
    relay({ letters: { consume } });
    await events.enqueue('letters', 'later', { notBefore: new Date(ground.clock.now().getTime() + 60_000) });
    await wait(200);
    expect(notes).toEqual([]);
    ground.clock.move(61);
    await eventually(() => expect(notes).toEqual(['later']));
  });

  it('delivers each message once when three processes relay and nothing fails', async () => {
    const { notes, consume } = notebook();
    for (const on of [ground, await ground.another(), await ground.another()]) relay({ letters: { consume } }, on);
    const sent = Array.from({ length: 200 }, (_, i) => i);
    await Promise.all(sent.map((i) => events.enqueue('letters', i)));
    await emptied();
    expect(notes.toSorted((a, b) => Number(a) - Number(b))).toEqual(sent);
  });

  it('keeps the order of each key across processes, through failures', async () => {
    const seen = new Map<string, number[]>();
    let calls = 0;
    const consume = async ({ key, n }: { key: string; n: number }) => {
      if (++calls % 7 === 0) throw new Error('now and then');
      await wait(Math.random() * 5);
      seen.set(key, [...(seen.get(key) ?? []), n]);
    };
    const other = await ground.another();
    for (const on of [ground, other]) relay({ letters: { consume, concurrency: 8 } }, on);
    const send = async (from: Events, key: string) => {
      for (let n = 0; n < 15; n++) await from.enqueue('letters', { key, n }, { key });
    };
    await Promise.all(['a', 'b', 'c', 'd'].map((key, i) => send(i % 2 ? events : createEvents(other), key)));
    await eventually(async () => {
      // In small steps: a leap past the lease would have a message delivered twice.
      ground.clock.move(2);
      expect(await events.backlog()).toEqual([]);
    });
    for (const [key, order] of seen) expect(order, key).toEqual(order.toSorted((a, b) => a - b));
    expect([...seen.values()].flat()).toHaveLength(60);
  });

  it('two writers of one key: what commits first is told first', async () => {
    const { notes, consume } = notebook();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow = ground.db.transact(async () => {
      await events.enqueue('letters', 'first', { key: 'k' });
      await held;
    });
    await wait(50);
    const quick = events.enqueue('letters', 'second', { key: 'k' });
    relay({ letters: { consume } });
    await wait(200);
    expect(notes).toEqual([]);
    release();
    await Promise.all([slow, quick]);
    await emptied();
    expect(notes).toEqual(['first', 'second']);
  });

  it('a slow and a dead consumer hold up no other', async () => {
    const { notes, consume } = notebook();
    relay({
      dead: { consume: async () => Promise.reject(new Error('dead')) },
      slow: { consume: (_, { signal }) => wait(600_000, undefined, { signal }), timeoutSeconds: 0.5 },
      quick: { consume },
    });
    for (let i = 0; i < 20; i++) {
      for (const topic of ['dead', 'slow', 'quick']) await events.enqueue(topic, i);
    }
    await eventually(() => expect(notes).toHaveLength(20));
    expect(await events.backlog()).toMatchObject([
      { topic: 'dead', waiting: 20 },
      { topic: 'slow', waiting: 20 },
    ]);
  });

  it('tries again after a pause that grows, under the same id, and gives up visibly', async () => {
    const tries: { at: number; id: string; attempt: number }[] = [];
    relay({
      letters: {
        attempts: 4,
        consume: async (_, { id, attempt }) => {
          tries.push({ at: ground.clock.now().getTime(), id, attempt });
          throw Object.assign(new Error('550 <jane@example.com>: mailbox of "jane@example.com" full'), {
            code: 'EFULL',
          });
        },
      },
    });
    const id = await events.enqueue('letters', { link: 'https://secret' }, { secret: true, key: 'k' });
    await eventually(
      async () => {
        ground.clock.move(1);
        await wait(30);
        expect(await events.parked()).toHaveLength(1);
      },
      { timeout: 20_000, interval: 5 },
    );
    expect(tries.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4]);
    expect(new Set(tries.map((t) => t.id))).toEqual(new Set([id]));
    const pauses = tries.slice(1).map(({ at }, i) => (at - tries[i]!.at) / 1000);
    expect(pauses[0]).toBeGreaterThanOrEqual(2);
    expect(pauses[1]).toBeGreaterThanOrEqual(5);
    expect(pauses[2]).toBeGreaterThanOrEqual(10);
    const [parked] = await events.parked();
    expect(parked).toMatchObject({ id, topic: 'letters', attempts: 4 });
    expect(parked!.failure).toBe('EFULL: 550 <[address]>: mailbox of "[address]" full');

    expect(await events.revive(id)).toBe(true);
    await eventually(() => expect(tries).toHaveLength(5));
  });

  it('gives up by age, and at once when told that it is hopeless', async () => {
    relay({
      hopeless: { consume: async () => Promise.reject(new Undeliverable('no such person')) },
      old: { consume: async () => Promise.reject(new Error('not today')), days: 3 },
    });
    await events.enqueue('hopeless', 1);
    await eventually(async () => expect(await events.parked({ topic: 'hopeless' })).toHaveLength(1));
    await events.enqueue('old', 1);
    await eventually(async () => expect(await events.backlog()).toMatchObject([{ parked: 1 }, { waiting: 1 }]));
    ground.clock.move(3 * 86_400);
    await eventually(async () => expect(await events.parked({ topic: 'old' })).toHaveLength(1));
    ground.clock.move(31 * 86_400);
    expect(await events.tidy()).toBe(2);
  });

  it('a parked message no longer holds up those behind it', async () => {
    const { notes, consume } = notebook();
    relay({
      letters: {
        consume: async (payload: string) => {
          if (payload === 'poison') throw new Undeliverable('never');
          await consume(payload);
        },
      },
    });
    await events.enqueue('letters', 'poison', { key: 'k' });
    await events.enqueue('letters', 'good', { key: 'k' });
    await eventually(() => expect(notes).toEqual(['good']));
  });

  it('a secret payload lies sealed in the table and is gone after its delivery', async () => {
    await events.enqueue('letters', { link: 'https://secret.example' }, { secret: true });
    const [row] = await ground.db.query<{ payload: string }>('select payload from outbox');
    expect(row!.payload).not.toContain('secret.example');
    const { notes, consume } = notebook();
    relay({ letters: { consume } });
    await emptied();
    expect(notes).toEqual([{ link: 'https://secret.example' }]);
    expect(await ground.db.query('select 1 from outbox')).toEqual([]);
  });

  it('stop finishes what is in flight and takes nothing more', async () => {
    const { notes, consume } = notebook();
    let started = () => {};
    const under = new Promise<void>((resolve) => {
      started = resolve;
    });
    const stopping = relay({
      letters: {
        concurrency: 1,
        consume: async (payload) => {
          started();
          await wait(200);
          await consume(payload);
        },
      },
    });
    await events.enqueue('letters', 1);
    await events.enqueue('letters', 2);
    await under;
    await stopping.stop();
    expect(notes).toEqual([1]);
    expect(await events.backlog()).toMatchObject([{ waiting: 1 }]);
  });

  it('outlives its connections', async () => {
    const { notes, consume } = notebook();
    relay({ letters: { consume } });
    await events.enqueue('letters', 1);
    await emptied();
    await ground.db
      .query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      )
      .catch(() => {});
    await eventually(() => events.enqueue('letters', 2));
    await eventually(() => expect(notes).toContain(2));
  });

  it('a process killed between sending and noting it: the message is delivered again, none is lost', async () => {
    for (let i = 0; i < 3; i++) await events.enqueue('letters', i);
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, '../../test/support/stuck-relay.ts'), ground.url],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let sent = '';
    child.stdout.on('data', (chunk) => {
      sent += chunk;
    });
    await eventually(() => expect(sent.trim().split('\n').toSorted()).toEqual(['0', '1', '2']));
    const { notes, consume } = notebook();
    ground.clock.move((Date.now() - ground.clock.now().getTime()) / 1000);
    relay({ letters: { consume } });
    await wait(200);
    expect(notes, 'taken by a living process').toEqual([]);
    child.kill('SIGKILL');
    await once(child, 'exit');
    ground.clock.move(61);
    await emptied();
    expect(notes.toSorted()).toEqual([0, 1, 2]);
  });
});
