import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createGround, eventually } from '../../../test/support/ground.ts';
import { createJobs } from './index.ts';

let ground: Awaited<ReturnType<typeof createGround>>;
beforeEach(async () => {
  ground = await createGround();
});
afterEach(() => ground.close());

describe('jobs', () => {
  it('one process at a time does the work', async () => {
    const processes = [ground, await ground.another(), await ground.another()].map((on) => createJobs(on));
    let at = 0;
    let most = 0;
    for (const jobs of processes) {
      jobs.every('sweep', 60, async () => {
        most = Math.max(most, ++at);
        await wait(50);
        at--;
      });
    }
    const done = await Promise.all([...processes, ...processes].map((jobs) => jobs.run('sweep')));
    expect(most).toBe(1);
    expect(done).toContain(true);
    expect(done).toContain(false);
  });

  it('processes together do it once a period', async () => {
    const processes = [ground, await ground.another()].map((on) => createJobs(on));
    let times = 0;
    for (const jobs of processes) {
      jobs.every('tick', 0.05, async () => {
        times += 1;
      });
      jobs.start();
    }
    await eventually(() => expect(times).toBe(1));
    await wait(300);
    expect(times, 'the clock stands').toBe(1);
    ground.clock.move(1);
    await eventually(() => expect(times).toBe(2));
    await wait(200);
    expect(times).toBe(2);
    await Promise.all(processes.map((jobs) => jobs.stop()));
    ground.clock.move(1);
    await wait(200);
    expect(times, 'after the stop').toBe(2);
  });

  it('an error is logged and does not end the job; a stop waits for what runs and tells it', async () => {
    const jobs = createJobs(ground);
    let times = 0;
    jobs.every('fails', 60, async () => {
      times += 1;
      throw new Error('no');
    });
    let heeded = false;
    jobs.every('long', 60, async (signal) => {
      await wait(10_000, undefined, { signal }).catch(() => {});
      heeded = true;
    });
    await jobs.run('fails');
    await jobs.run('fails');
    expect(times).toBe(2);
    const running = jobs.run('long');
    await wait(100);
    await jobs.stop();
    expect(heeded).toBe(true);
    await running;
  });

  it('a lock whose process died is free again', async () => {
    const other = await ground.another();
    const client = await other.db.pool.connect();
    client.on('error', () => {});
    await client.query(`select pg_advisory_lock(hashtextextended('job:sweep', 0))`);
    const jobs = createJobs(ground);
    jobs.every('sweep', 60, async () => {});
    expect(await jobs.run('sweep')).toBe(false);
    client.release(true);
    await eventually(async () => expect(await jobs.run('sweep')).toBe(true));
  });
});
