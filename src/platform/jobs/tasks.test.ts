import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createGround, eventually, type Ground } from '../../../test/support/ground.ts';
import { newId, Refusal } from '../index.ts';
import { createTasks, type TaskKind, type Tasks } from './index.ts';

const by = { kind: 'system' } as const;
const made: Tasks[] = [];
let ground: Awaited<ReturnType<typeof createGround>>;
beforeEach(async () => {
  ground = await createGround();
  await ground.db.query('create table did (item int not null, who text)');
});
afterEach(async () => {
  await Promise.all(made.splice(0).map((tasks) => tasks.stop()));
  await ground.close();
});

const tasksOn = (on: Ground, pollSeconds = 0.2) => {
  const tasks = createTasks({ ...on, pollSeconds });
  made.push(tasks);
  return tasks;
};
const items = async () =>
  (await ground.db.query<{ item: number }>('select item from did order by item')).map(({ item }) => item);
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

/** Counts to `input.to`, an item a transaction; `at` is called before each. */
const counting = (
  on: Ground,
  options: { at?: (item: number) => unknown; who?: string; concurrency?: number } = {},
): TaskKind<{ to: number }, { next: number }> => ({
  concurrency: options.concurrency ?? 1,
  async run({ input, checkpoint, report, signal }) {
    for (let item = checkpoint?.next ?? 0; item < input.to && !signal.aborted; item++) {
      await options.at?.(item);
      await on.db.transact(async () => {
        await on.db.query('insert into did values ($1, $2)', [item, options.who ?? '']);
        const outcome = item % 5 === 3 ? 'failed' : 'done';
        await report({
          results: [{ position: item, outcome, ...(outcome === 'failed' && { code: 'test.three' }) }],
          checkpoint: { next: item + 1 },
          total: input.to,
        });
      });
    }
  },
});

describe('a task', () => {
  it('is done, tells how far it is and what became of each item', async () => {
    const tasks = tasksOn(ground);
    tasks.register('count', counting(ground));
    const { id, state } = await tasks.start('count', { to: 10 }, { kind: 'administrator', id: newId() });
    expect(state).toBe('queued');
    tasks.work();
    await eventually(async () => expect((await tasks.find(id))?.state).toBe('done'));
    const task = await tasks.find(id);
    expect(task).toMatchObject({ total: 10, done: 8, failed: 2, tally: { done: 8, failed: 2 }, kind: 'count' });
    expect(await tasks.results(id, { after: 1, limit: 2 })).toEqual([
      { position: 2, outcome: 'done' },
      { position: 3, outcome: 'failed', code: 'test.three' },
    ]);
    expect((await tasks.results(id, { outcome: 'failed' })).map(({ position }) => position)).toEqual([3, 8]);
    expect((await tasks.list({ kind: 'count' })).map((one) => one.id)).toEqual([id]);
    expect(await tasks.list({ kind: 'other' })).toEqual([]);
    expect(await tasks.find('no id')).toBeUndefined();
  });

  it('that is queued in a transaction which fails never was', async () => {
    const tasks = tasksOn(ground);
    tasks.register('count', counting(ground));
    tasks.work();
    const failing = ground.db.transact(async () => {
      await tasks.start('count', { to: 1 }, by);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    await wait(300);
    expect(await tasks.list()).toEqual([]);
    expect(await items()).toEqual([]);
  });

  it('fails with the code of a refusal, and says no more than that of a fault', async () => {
    const tasks = tasksOn(ground);
    tasks.register('refuse', {
      run: async () => {
        throw new Refusal('test.no', { kind: 'invalid', details: { line: 3 } });
      },
    });
    tasks.register('break', {
      run: async () => {
        throw new Error('a secret');
      },
    });
    const refused = await tasks.finish((await tasks.start('refuse', {}, by)).id);
    expect(refused).toMatchObject({ state: 'failed', error: { code: 'test.no', details: { line: 3 } } });
    const broken = await tasks.finish((await tasks.start('break', {}, by)).id);
    expect(broken).toMatchObject({ state: 'failed', error: { code: 'task.fault', details: {} } });
  });

  it('is tried again when something was out of reach', async () => {
    const tasks = tasksOn(ground);
    let times = 0;
    tasks.register('shaky', {
      async run() {
        if (++times === 1) throw new Refusal('store.unavailable', { kind: 'unavailable' });
      },
    });
    const { id } = await tasks.start('shaky', {}, by);
    const finished = tasks.finish(id);
    await eventually(() => expect(times).toBe(1));
    await wait(400);
    expect(times, 'not at once').toBe(1);
    ground.clock.move(31);
    expect((await finished).state).toBe('done');
  });

  it('goes when it ended a month ago', async () => {
    const tasks = tasksOn(ground);
    tasks.register('count', counting(ground));
    const { id } = await tasks.finish((await tasks.start('count', { to: 2 }, by)).id);
    ground.clock.move(29 * 86_400);
    await tasks.tidy();
    expect(await tasks.find(id)).toBeDefined();
    ground.clock.move(2 * 86_400);
    await tasks.tidy();
    expect(await tasks.find(id)).toBeUndefined();
    expect(await tasks.results(id)).toEqual([]);
  });
});

describe('several processes', () => {
  it('never run a task twice at the same time, nor any item twice', async () => {
    let at = 0;
    let most = 0;
    const processes = await Promise.all(upTo(3).map(async (n) => (n === 0 ? ground : ground.another())));
    const all = processes.map((on, n) => {
      const tasks = tasksOn(on, 0.05);
      const slow = async () => {
        most = Math.max(most, ++at);
        await wait(5);
        at--;
      };
      tasks.register('count', counting(on, { at: slow, who: String(n) }));
      tasks.work();
      return tasks;
    });
    const { id } = await all[0]!.start('count', { to: 20 }, by);
    const ended = await Promise.all(all.map((tasks) => tasks.finish(id)));
    expect(ended.map(({ state }) => state)).toEqual(['done', 'done', 'done']);
    expect(most).toBe(1);
    expect(await items()).toEqual(upTo(20));
  });

  it('together run no more of a kind than it allows', async () => {
    let at = 0;
    let most = 0;
    const all = [ground, await ground.another(), await ground.another()].map((on) => {
      const tasks = tasksOn(on, 0.05);
      const slow = async () => {
        most = Math.max(most, ++at);
        await wait(10);
        at--;
      };
      tasks.register('count', counting(on, { at: slow, concurrency: 2 }));
      tasks.work();
      return tasks;
    });
    const started = await Promise.all(upTo(6).map((n) => all[n % 3]!.start('count', { to: 5 }, by)));
    await Promise.all(started.map(({ id }) => all[0]!.finish(id)));
    expect(most).toBe(2);
    expect(await items()).toHaveLength(30);
  });

  it('one that stops hands its task on at once', async () => {
    const first = tasksOn(ground);
    first.register('count', counting(ground, { at: () => wait(20), who: 'first' }));
    const other = await ground.another();
    const second = tasksOn(other);
    second.register('count', counting(other, { who: 'second' }));
    first.work();
    const { id } = await first.start('count', { to: 50 }, by);
    await eventually(async () => expect((await items()).length).toBeGreaterThan(3));
    await first.stop();
    expect((await second.find(id))?.state).toBe('queued');
    expect((await second.finish(id)).state).toBe('done');
    expect(await items()).toEqual(upTo(50));
  });

  it('one that was frozen while another took over commits nothing more', async () => {
    let thaw: () => void = () => {};
    const frozen = new Promise<void>((resolve) => {
      thaw = resolve;
    });
    const first = tasksOn(ground);
    first.register('count', counting(ground, { at: (item) => (item === 7 ? frozen : undefined), who: 'first' }));
    const { id } = await first.start('count', { to: 12 }, by);
    first.work();
    await eventually(async () => expect(await items()).toEqual(upTo(7)));

    const other = await ground.another();
    const second = tasksOn(other);
    second.register('count', counting(other, { who: 'second' }));
    second.work();
    await wait(500);
    expect(await items(), 'while the lease holds').toEqual(upTo(7));
    ground.clock.move(31);
    expect((await second.finish(id)).state).toBe('done');
    thaw();
    await first.stop();
    expect(await items()).toEqual(upTo(12));
    expect(await second.find(id)).toMatchObject({ state: 'done', done: 10, failed: 2 });
  });

  it('a task that kills whoever takes it up is given up', async () => {
    const tasks = tasksOn(ground);
    tasks.register('count', counting(ground));
    const { id } = await tasks.start('count', { to: 2 }, by);
    await ground.db.query(`update task set state = 'running', take_overs = 5, lease_until = $1`, [ground.clock.now()]);
    ground.clock.move(1);
    expect(await tasks.finish(id)).toMatchObject({ state: 'failed', error: { code: 'task.crashed' } });
    expect(await items()).toEqual([]);
  });
});

describe('a task that is cancelled', () => {
  it('while it waits, never begins', async () => {
    const tasks = tasksOn(ground);
    const cleared: string[] = [];
    tasks.register('count', { ...counting(ground), ended: async (id) => void cleared.push(id) });
    const { id } = await tasks.start('count', { to: 2 }, by);
    expect((await tasks.cancel(id))?.state).toBe('cancelled');
    tasks.work();
    await wait(300);
    expect(await items()).toEqual([]);
    expect(cleared).toContain(id);
    expect((await tasks.cancel(id))?.state).toBe('cancelled');
    expect(await tasks.cancel(newId())).toBeUndefined();
  });

  it('while it runs elsewhere, commits nothing from then on', async () => {
    const other = await ground.another();
    const there = tasksOn(other);
    let aborted = false;
    there.register('count', {
      async run(run) {
        run.signal.addEventListener('abort', () => {
          aborted = true;
        });
        await counting(other, { at: () => wait(10) }).run(run as never);
      },
    });
    there.work();
    const here = tasksOn(ground);
    here.register('count', counting(ground));
    const { id } = await here.start('count', { to: 1000 }, by);
    await eventually(async () => expect((await items()).length).toBeGreaterThan(3));
    expect((await here.cancel(id))?.state).toBe('cancelled');
    const then = await items();
    await eventually(() => expect(aborted).toBe(true));
    await wait(200);
    expect(await items()).toEqual(then);
    const task = await here.find(id);
    expect(task).toMatchObject({ state: 'cancelled', checkpoint: { next: then.length } });
    expect(task!.done + task!.failed).toBe(then.length);
  });

  it('once done, stays done', async () => {
    const tasks = tasksOn(ground);
    tasks.register('count', counting(ground));
    const { id } = await tasks.finish((await tasks.start('count', { to: 2 }, by)).id);
    expect((await tasks.cancel(id))?.state).toBe('done');
  });
});

describe('a task that has ended before its end', () => {
  it('is resumed from where it was, as often as one likes', async () => {
    const tasks = tasksOn(ground);
    let ended: string[] = [];
    let stop: (() => void) | undefined;
    tasks.register('count', {
      ...counting(ground, {
        at: (item) => {
          if (item === 10) stop?.();
        },
      }),
      ended: async (_, state) => void ended.push(state),
    });
    const { id } = await tasks.start('count', { to: 20 }, by);
    stop = () => {
      throw new Refusal('test.stopped', { kind: 'conflict' });
    };
    const failed = await tasks.finish(id);
    expect(failed).toMatchObject({ state: 'failed', done: 8, failed: 2, error: { code: 'test.stopped' } });
    expect(tasks.progressOf(failed)).toBe(0.5);
    stop = undefined;
    expect(await tasks.resume(id)).toMatchObject({ state: 'queued', error: undefined, done: 8 });
    expect(await tasks.finish(id)).toMatchObject({ state: 'done', done: 16, failed: 4 });
    expect(await items()).toEqual(upTo(20));
    expect(ended).toEqual(['failed', 'done']);
    ended = [];
    expect((await tasks.resume(id))!.state, 'what is done stays done').toBe('done');
    expect(await tasks.resume(newId())).toBeUndefined();
  });

  it('when it is resumed in the very moment it was cancelled in, no item is done twice', async () => {
    const tasks = tasksOn(ground);
    tasks.register('count', counting(ground, { at: () => wait(2) }));
    tasks.work();
    const { id } = await tasks.start('count', { to: 60 }, by);
    for (let round = 0; round < 5; round++) {
      await eventually(async () => expect((await tasks.find(id))!.done).toBeGreaterThan(round * 5));
      await tasks.cancel(id);
      await tasks.resume(id);
    }
    await eventually(async () => expect((await tasks.find(id))!.state).toBe('done'));
    expect(await items()).toEqual(upTo(60));
  });
});

describe('more tasks than may wait', () => {
  it('are refused, however many are asked for at once', async () => {
    const tasks = tasksOn(ground);
    tasks.register('count', { ...counting(ground), most: 5 });
    const asked = await Promise.allSettled(Array.from({ length: 20 }, () => tasks.start('count', { to: 1 }, by)));
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
    const refused = asked.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
    expect(refused.reason).toMatchObject({ code: 'task.too_many', kind: 'limited', details: { most: 5 } });
    const [first] = await tasks.list({ kind: 'count' });
    await tasks.finish(first!.id);
    expect((await tasks.start('count', { to: 1 }, by)).state).toBe('queued');
  });
});
