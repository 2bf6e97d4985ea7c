import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { freshDatabase } from '../../../test/support/database.ts';
import { eventually } from '../../../test/support/ground.ts';
import { type Wire, wireToDatabase } from '../../../test/support/wire.ts';
import { silentLog } from '../log.ts';
import { createDb, type Db } from './index.ts';

const connections = 3;
let database: Awaited<ReturnType<typeof freshDatabase>>;
let wire: Wire;
let db: Db;
beforeEach(async () => {
  database = await freshDatabase();
  const to = await wireToDatabase(database.url);
  wire = to;
  db = await createDb({ url: to.url, entities: [], migrations: '', log: silentLog, connections, answerWithin: 1 });
});
afterEach(async () => {
  await db.close();
  wire.stop();
  await database.drop();
});

const all = <T>(work: () => Promise<T>) => Promise.allSettled(Array.from({ length: connections }, work));
const outcomes = async (results: ReturnType<typeof all>) => (await results).map(({ status }) => status);

/** As many transactions as there are connections, all open at once. */
async function expectWhole() {
  let open = 0;
  const gate = Promise.withResolvers<void>();
  const results = all(() =>
    db.transact(async () => {
      await db.query('select 1');
      if (++open === connections) gate.resolve();
      await Promise.race([gate.promise, sleep(10_000, undefined, { ref: false })]);
      if (open < connections) throw new Error(`only ${open} at a time`);
    }),
  );
  expect(await outcomes(results)).toEqual(Array(connections).fill('fulfilled'));
}

it('connections that break in open transactions are had again, round after round', async () => {
  for (let round = 0; round < 3; round++) {
    const broken = all(() =>
      db.transact(async () => {
        await db.query('select 1');
        if (db.pool.totalCount === connections) wire.cut();
        await db.query('select pg_sleep(5)');
      }),
    );
    expect(await outcomes(broken)).toEqual(Array(connections).fill('rejected'));
    wire.mend();
    await eventually(() => db.query('select 1'));
    await expectWhole();
  }
});

it('connections on which no transaction could begin are had again', async () => {
  await expectWhole();
  wire.silence();
  const broken = await outcomes(all(() => db.transact(() => db.query('select 1'))));
  expect(broken).toEqual(Array(connections).fill('rejected'));
  wire.mend();
  await eventually(() => db.query('select 1'));
  await expectWhole();
});

it('a statement that takes too long gives its connection up, and its transaction does not linger', async () => {
  const late = db.transact(() => db.query('select pg_sleep(20) /* too long */'));
  await expect(late).rejects.toMatchObject({ code: 'store.unavailable' });
  await expectWhole();
});

it('a transaction in which a statement failed is not taken for committed, though its failure was swallowed', async () => {
  await db.query('create table kept (n int)');
  const swallowed = db.transact(async () => {
    await db.query('insert into kept values (1)');
    await db.query('select 1 / 0').catch(() => {});
  });
  await expect(swallowed).rejects.toThrow('could not be committed');
  expect(await db.query('select n from kept')).toEqual([]);
});

it('nothing of a transaction is done when its first statement comes along with a begin that is lost', async () => {
  await db.query('create table kept (n int)');
  for (let round = 0; round < 5; round++) {
    await eventually(() => db.query('select 1'));
    const lost = db.transact(async () => {
      const first = db.query('insert into kept values (1)');
      wire.cut();
      await first;
    });
    await expect(lost).rejects.toMatchObject({ code: 'store.unavailable' });
    wire.mend();
  }
  expect(await eventually(() => db.query('select n from kept'))).toEqual([]);
});

it('what is still under way when its transaction is rolled back writes nothing more, neither by itself nor for the next', async () => {
  await db.query('create table kept (n int)');
  const gate = Promise.withResolvers<void>();
  const late: Promise<unknown>[] = [];
  const failed = db.transact(async () => {
    const slow = async (work: () => Promise<unknown>) => {
      await gate.promise;
      await work();
    };
    late.push(slow(() => db.query('insert into kept values (1)')));
    late.push(slow(() => db.transact(() => db.query('insert into kept values (2)'))));
    await db.query('select 1');
    throw new Error('no');
  });
  await expect(failed).rejects.toThrow('no');
  const next = db.transact(async () => {
    await db.query('insert into kept values (3)');
    gate.resolve();
    await Promise.allSettled(late);
    throw new Error('no');
  });
  await expect(next).rejects.toThrow('no');
  expect((await Promise.allSettled(late)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await db.query('select n from kept')).toEqual([]);
});

it('what comes after its transaction has committed stands by itself', async () => {
  await db.query('create table kept (n int)');
  const gate = Promise.withResolvers<void>();
  let late: Promise<unknown> | undefined;
  await db.transact(async () => {
    late = gate.promise.then(() => db.query('insert into kept values (1)'));
    await db.query('select 1');
  });
  const next = db.transact(async () => {
    await db.query('select 1');
    gate.resolve();
    await late;
    throw new Error('no');
  });
  await expect(next).rejects.toThrow('no');
  expect(await db.query('select n from kept')).toEqual([{ n: 1 }]);
});
