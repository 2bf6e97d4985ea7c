import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { createGround, eventually, type Ground } from '../../../test/support/ground.ts';
import { Refusal } from '../refusal.ts';
import { remembered } from '../remembered.ts';
import { createStops } from './index.ts';

/** One process: what it remembers of the table `thing`, without a bus, so that nothing but the journal tells of changes. */
function createProcess({ db, clock, log }: Ground, redis?: Redis) {
  const stops = createStops({ db, clock, log, redis });
  const things = remembered<string>({
    stops,
    topic: 'thing',
    load: async (id) => (await db.query<{ state: string }>('select state from thing where id = $1', [id]))[0]?.state,
    maxAge: 30_000,
    most: 100,
  });
  return {
    stops,
    reads: things.reads,
    db,
    async get(id: string) {
      await stops.catchUp();
      return things.get(id);
    },
    change: (id: string, state: string, more: () => Promise<void> = async () => {}) =>
      db.transact(async () => {
        await db.query('update thing set state = $2 where id = $1', [id, state]);
        await things.forget(id);
        await more();
      }),
  };
}
type Process = ReturnType<typeof createProcess>;

describe.each(['PostgreSQL', 'Redis'] as const)('stops told over %s', (kind) => {
  const withRedis = kind === 'Redis';
  let ground: Awaited<ReturnType<typeof createGround>>;
  let redis: Redis[] = [];
  let a: Process;
  let b: Process;
  let keys: { stream: string; head: string };

  beforeAll(async () => {
    if (withRedis && !inject('redisUrl')) return;
    ground = await createGround();
    const connect = () => (withRedis ? new Redis(inject('redisUrl'), { enableAutoPipelining: true }) : undefined);
    redis = [connect(), connect()].filter((one) => one !== undefined);
    await ground.db.query('create table thing (id text primary key, state text not null)');
    a = createProcess(ground, redis[0]);
    b = createProcess(await ground.another(), redis[1]);
    const [row] = await ground.db.query<{ id: string }>('select id from stop_head');
    keys = { stream: `cardea:{stops:${row!.id}}`, head: `cardea:{stops:${row!.id}}:head` };
  });
  beforeEach(async () => {
    if (withRedis && !inject('redisUrl')) return;
    await ground.db.query(`truncate thing`);
    await ground.db.query(`insert into thing values ('x', 'alive'), ('y', 'alive')`);
    await a.change('x', 'alive');
    await a.change('y', 'alive');
  });
  afterAll(async () => {
    for (const one of redis) one.disconnect();
    await ground?.close();
  });
  const test = (name: string, work: () => Promise<void>) => it.skipIf(withRedis && !inject('redisUrl'))(name, work);

  const isRemembered = async (process: Process, id = 'x') => {
    await process.get(id);
    const before = process.reads().hits;
    await process.get(id);
    return process.reads().hits > before;
  };

  test('what one process stops no process answers from memory, a thousand times over', async () => {
    for (let round = 0; round < 500; round++) {
      expect(await b.get('x')).toBe(round % 2 ? 'dead' : 'alive');
      await a.change('x', round % 2 ? 'alive' : 'dead');
      expect(await b.get('x')).toBe(round % 2 ? 'alive' : 'dead');
      expect(await a.get('x')).toBe(round % 2 ? 'alive' : 'dead');
    }
  });

  test('what was not stopped stays remembered, and so does a stopped thing once its stop is over', async () => {
    await eventually(async () => expect(await isRemembered(b, 'y')).toBe(true));
    await a.change('x', 'dead');
    await b.get('y');
    expect(await isRemembered(b, 'y')).toBe(true);
    await eventually(async () => expect(await isRemembered(b)).toBe(true), { timeout: 3_000 });
  });

  test('nothing is remembered between the entry of a stop and its commit', async () => {
    await b.get('x');
    await a.change('x', 'dead', async () => {
      // The last thing before the commit: in Redis the stop is told, in PostgreSQL it cannot be seen.
      const late = new Promise<void>((resolve, reject) => {
        a.db.beforeCommit(async () => {
          await b.get('x').then(async (state) => {
            expect(state).toBe('alive');
            expect(await b.get('x')).toBe('alive');
          });
          resolve();
        });
        setTimeout(reject, 10_000).unref();
      });
      void late.catch(() => {});
    });
    expect(await b.get('x')).toBe('dead');
  });

  test('a stop that is rolled back costs another look and nothing else', async () => {
    await b.get('x');
    const failing = a.change('x', 'dead', async () => {
      a.db.beforeCommit(async () => {
        throw new Error('no');
      });
    });
    await expect(failing).rejects.toThrow('no');
    expect(await b.get('x')).toBe('alive');
    await a.change('x', 'dead');
    expect(await b.get('x')).toBe('dead');
  });

  test('what was lost in a transaction that is rolled back is heard again by itself', async () => {
    let isAway = false;
    const query: Ground['db']['query'] = async (...asked) => {
      if (isAway) throw new Refusal('store.unavailable', { kind: 'unavailable' });
      return ground.db.query(...asked);
    };
    const c = createProcess({ ...ground, db: { ...ground.db, query } }, redis[0]);
    await c.get('x');
    isAway = true;
    // With Redis the journal itself is looked at when it has lost its copy.
    if (withRedis) await redis[0]!.del(keys.stream, keys.head);
    const failing = ground.db.transact(async () => {
      await c.stops.catchUp(['a key']).catch(() => {});
      expect(c.stops.mayUse(performance.now(), ['thing:x'])).toBe(false);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    isAway = false;
    await a.change('y', 'dead');
    await eventually(async () => {
      await c.stops.catchUp();
      expect(await isRemembered(c)).toBe(true);
    });
  });

  test('while things are stopped under load, no answer that began after the stop is of before it', async () => {
    let state = 'alive';
    let running = true;
    const wrong: string[] = [];
    const ask = async (process: Process) => {
      while (running) {
        const then = state;
        const got = await process.get('x');
        // Changing back and forth: only "dead" is final here.
        if (then === 'dead' && got !== 'dead') wrong.push(String(got));
        await new Promise(setImmediate);
      }
    };
    const load = [...Array(16)].map((_, index) => ask(index % 2 ? a : b));
    for (let round = 0; round < 30; round++) {
      await a.change('y', `${round}`);
      await b.change('y', `${round}`);
    }
    await a.change('x', 'dead');
    state = 'dead';
    for (let round = 0; round < 30; round++) await b.change('y', `${round}`);
    running = false;
    await Promise.all(load);
    expect(wrong).toEqual([]);
  });

  test('many stops at once are all heard of', async () => {
    await ground.db.query(`insert into thing select 'm' || n, 'alive' from generate_series(1, 64) n`);
    const ids = Array.from({ length: 64 }, (_, n) => `m${n + 1}`);
    await Promise.all(ids.map((id) => b.get(id)));
    await Promise.all(ids.map((id, n) => (n % 2 ? a : b).change(id, 'dead')));
    expect(new Set(await Promise.all(ids.map((id) => b.get(id))))).toEqual(new Set(['dead']));
    expect(new Set(await Promise.all(ids.map((id) => a.get(id))))).toEqual(new Set(['dead']));
  });

  test('a process that fell far behind forgets everything', async () => {
    await b.get('x');
    await ground.db.query(`update thing set state = 'dead' where id = 'x'`);
    // Its entry is gone before it was read, with all the others.
    await a.change('y', 'dead');
    await ground.db.query('delete from stop_journal');
    if (withRedis) await redis[0]!.xtrim(keys.stream, 'MAXLEN', 0);
    expect(await b.get('x')).toBe('dead');
  });

  // Not declared for PostgreSQL, which has nothing of the kind to lose: a test that cannot apply is not one to skip.
  const whatRedisLoses = () => {
    test('emptied between a stop and the next question, it brings nothing back to life', async () => {
      for (let round = 0; round < 20; round++) {
        await b.get('x');
        await a.change('x', round % 2 ? 'alive' : 'dead');
        await redis[0]!.del(keys.stream, keys.head);
        expect(await b.get('x')).toBe(round % 2 ? 'alive' : 'dead');
      }
    });

    test('the newest entry lost by a failover is found elsewhere within the lease', async () => {
      await b.get('x');
      const before = await redis[0]!.get(keys.head);
      await a.change('x', 'dead');
      for (const [id] of await redis[0]!.xrange(keys.stream, `(${before}`, '+')) await redis[0]!.xdel(keys.stream, id);
      await redis[0]!.set(keys.head, before!);
      await eventually(async () => expect(await b.get('x')).toBe('dead'), { timeout: 4_000 });
    });

    test('a stop that Redis was not told of returns only when nobody can be wrong about it', async () => {
      const ground2 = await ground.another();
      const cut = new Redis(inject('redisUrl'), { lazyConnect: true, enableOfflineQueue: false });
      const c = createProcess(ground2, cut);
      await b.get('x');
      await c.change('x', 'dead');
      expect(await b.get('x')).toBe('dead');
      cut.disconnect();
    });

    test('out of reach, nothing is answered from memory', async () => {
      const cut = new Redis(inject('redisUrl'), { maxRetriesPerRequest: 0 });
      const c = createProcess(await ground.another(), cut);
      await c.get('x');
      cut.disconnect();
      await expect(c.stops.catchUp()).rejects.toMatchObject({ code: 'store.unavailable' });
      expect(c.stops.mayUse(performance.now(), ['thing:x'])).toBe(false);
    });

    /** A process whose questions to the database wait from `hang` on, each until it is let go or fails. */
    const hanging = async (own: Redis) => {
      const { db, ...rest } = await ground.another();
      const hung: { go(): void; fail(): void }[] = [];
      let hangs = false;
      const query: typeof db.query = async (...asked) => {
        if (hangs) {
          await new Promise<void>((go, fail) => {
            hung.push({ go, fail: () => fail(new Refusal('store.unavailable', { kind: 'unavailable' })) });
          });
        }
        return db.query(...asked);
      };
      const process = createProcess({ ...rest, db: { ...db, query } }, own);
      expect(await isRemembered(process)).toBe(true);
      const hang = (does: boolean) => {
        hangs = does;
      };
      return { ...process, hung, hang };
    };

    test('while the database hangs it is waited for once, not by each who asks in turn, and then remembered again', async () => {
      const c = await hanging(redis[1]!);
      c.hang(true);
      await redis[0]!.del(keys.stream, keys.head);
      const waiting = Promise.all(Array.from({ length: 32 }, () => c.stops.catchUp(['a key'])));
      await eventually(() => expect(c.hung).toHaveLength(1));
      c.hung[0]!.fail();
      expect(await waiting).toHaveLength(32);
      expect(c.hung).toHaveLength(1);
      await expect(c.stops.catchUp()).rejects.toMatchObject({ code: 'store.unavailable' });
      expect(c.stops.mayUse(performance.now(), ['thing:x'])).toBe(false);
      c.hang(false);
      await eventually(async () => {
        for (const { fail } of c.hung) fail();
        await c.stops.catchUp();
        expect(await isRemembered(c)).toBe(true);
      });
    });

    test('what begins anew while Redis is lost once more is no memory to answer from', async () => {
      const own = new Redis(inject('redisUrl'), { maxRetriesPerRequest: 0 });
      const c = await hanging(own);
      c.hang(true);
      await redis[0]!.del(keys.stream, keys.head);
      const beginning = c.stops.catchUp(['a key']);
      await eventually(() => expect(c.hung).toHaveLength(1));
      own.disconnect();
      await expect(c.stops.catchUp(['another'])).rejects.toMatchObject({ code: 'store.unavailable' });
      c.hang(false);
      c.hung[0]!.go();
      await beginning;
      expect(c.stops.mayUse(performance.now(), ['thing:x'])).toBe(false);
    });
  };
  if (withRedis) describe('and what Redis loses', whatRedisLoses);
});
