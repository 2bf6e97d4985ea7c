import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { credentialsRoom } from '../../test/support/credentials.ts';
import {
  type Budget,
  connectRedis,
  createVault,
  newId,
  type RedisConnection,
  Refusal,
  silentLog,
  systemClock,
} from '../platform/index.ts';
import { type Attempt, type Attempts, createAttempts, type Reservation } from './attempts.ts';

let seed = 0;
/** Nobody and nowhere that another test knows. */
const stranger = (over: Partial<Attempt> = {}): Attempt => {
  seed += 1;
  return { identifier: `person${seed}@example.com`, ip: `198.51.${seed >> 8}.${seed & 255}`, ...over };
};

interface Ground {
  attempts: Attempts;
  pass(seconds: number): Promise<void>;
}

function contract(ground: () => Ground) {
  let attempts: Attempts;
  beforeEach(() => {
    attempts = ground().attempts;
  });

  /** Fails until refused. @returns how many were allowed and the wait */
  const exhaust = async (who: Attempt, most = 500) => {
    let wait = 0;
    for (let tried = 0; tried < most; tried++) {
      const found = await attempts.before(who);
      if (!found.allowed) return { tried, wait, retryAfter: found.retryAfter };
      wait = (await attempts.failed(found)).retryAfter;
    }
    throw new Error('never refused');
  };
  const mayTry = async (who: Attempt) => {
    const found = await attempts.before(who);
    if (found.allowed) await attempts.succeeded(found);
    return found.allowed;
  };

  it('allows some wrong tries, then makes one wait twice as long each time', async () => {
    const who = stranger();
    expect(await exhaust(who)).toMatchObject({ tried: 5, wait: 60 });
    await ground().pass(61);
    expect(await exhaust(who)).toMatchObject({ tried: 5, wait: 120 });
    await ground().pass(119);
    expect(await mayTry(who)).toBe(false);
    await ground().pass(2);
    expect(await exhaust(who)).toMatchObject({ tried: 5, wait: 240 });
  });

  it('64 parallel guesses cannot exceed the budget', async () => {
    const who = stranger();
    const all = await Promise.all(Array.from({ length: 64 }, () => attempts.before(who)));
    const allowed = all.filter((one): one is Reservation => one.allowed);
    expect(allowed).toHaveLength(5);
    const waits = await Promise.all(allowed.map((one) => attempts.failed(one)));
    expect(Math.max(...waits.map(({ retryAfter }) => retryAfter))).toBe(60);
    expect(await mayTry(who)).toBe(false);
  });

  it('right ones at once, more than the budget, wait for one another and none is refused', async () => {
    const who = stranger();
    const right = async () => {
      const found = await attempts.before(who);
      if (!found.allowed) return false;
      await new Promise((resolve) => setTimeout(resolve, 20));
      await attempts.succeeded(found);
      return true;
    };
    expect(await Promise.all(Array.from({ length: 20 }, right))).toEqual(Array.from({ length: 20 }, () => true));
    // Those that waited left nothing behind.
    expect((await exhaust(who)).tried).toBe(5);
  });

  it('wrong ones at once do not wait: what they used up is used up', async () => {
    const who = stranger();
    await exhaust(who);
    const began = performance.now();
    const all = await Promise.all(Array.from({ length: 20 }, () => attempts.before(who)));
    expect(all.filter(({ allowed }) => allowed)).toEqual([]);
    expect(performance.now() - began).toBeLessThan(2_900);
  });

  it('what was right costs nothing', async () => {
    const who = stranger();
    for (let i = 0; i < 30; i++) expect(await mayTry(who)).toBe(true);
    expect((await exhaust(who)).tried).toBe(5);
  });

  it('guessing from many addresses is limited for the account', async () => {
    const { identifier } = stranger();
    let allowed = 0;
    for (let i = 0; i < 30; i++) {
      const found = await attempts.before(stranger({ identifier }));
      if (found.allowed) {
        allowed += 1;
        await attempts.failed(found);
      }
    }
    expect(allowed).toBe(20);
  });

  it('guessing at many accounts is limited for the address', async () => {
    const { ip } = stranger();
    let allowed = 0;
    for (let i = 0; i < 110; i++) {
      const found = await attempts.before(stranger({ ip }));
      if (found.allowed) {
        allowed += 1;
        await attempts.failed(found);
      }
    }
    expect(allowed).toBe(100);
    expect(await mayTry(stranger({ ip }))).toBe(false);
  });

  it('2^64 IPv6 addresses of one subscriber count as one', async () => {
    const { identifier } = stranger();
    const prefix = `2001:db8:${seed.toString(16)}:1`;
    let allowed = 0;
    for (let i = 1; i <= 8; i++) {
      const found = await attempts.before({ identifier, ip: `${prefix}::${i}` });
      if (found.allowed) allowed += 1;
    }
    expect(allowed).toBe(5);
    expect(await mayTry({ identifier, ip: `2001:db8:${seed.toString(16)}:2::1` })).toBe(true);
  });

  it('the same account however it is spelled', async () => {
    const who = stranger();
    await exhaust(who);
    expect(await mayTry({ ...who, identifier: ` ${who.identifier.toUpperCase()} ` })).toBe(false);
    expect(await mayTry({ ...who, identifier: who.identifier.replace('person', 'ｐerson') })).toBe(false);
  });

  it('a known and an unknown account are limited alike', async () => {
    const known = await exhaust(stranger({ userId: newId() }));
    const unknown = await exhaust(stranger());
    expect(known).toEqual(unknown);
  });

  it('an attacker cannot lock a person out of a device that has signed in before', async () => {
    const userId = newId();
    const victim = stranger({ userId });
    const device = attempts.deviceToken(userId);
    // From everywhere, and from the victim's own network.
    for (let i = 0; i < 25; i++) {
      const found = await attempts.before(stranger({ identifier: victim.identifier, userId }));
      if (found.allowed) await attempts.failed(found);
    }
    await exhaust(victim);
    expect(await mayTry(victim)).toBe(false);
    expect(await mayTry({ ...victim, device })).toBe(true);
    expect(await mayTry({ ...stranger(), identifier: victim.identifier, userId, device })).toBe(true);
  });

  it('a stolen device cookie has a budget of its own, and uses up only that', async () => {
    const userId = newId();
    const who = stranger({ userId });
    const stolen = attempts.deviceToken(userId);
    expect((await exhaust({ ...who, device: stolen })).tried).toBe(10);
    expect(await mayTry({ ...who, device: stolen, ip: stranger().ip })).toBe(false);
    expect(await mayTry({ ...who, device: attempts.deviceToken(userId) })).toBe(true);
    expect(await mayTry(who)).toBe(true);
  });

  it('somebody else’s or a forged device cookie is worth nothing', async () => {
    const userId = newId();
    const who = stranger({ userId });
    await exhaust(who);
    const own = attempts.deviceToken(newId());
    for (const device of [
      own,
      'x',
      '',
      own.replace(/\d{10}/, '9999999999'),
      `${'~'.repeat(500)}`,
      'a'.repeat(100_000),
    ]) {
      expect(await mayTry({ ...who, device })).toBe(false);
    }
  });
}

const budgets = {
  registrationsSuspicious: { points: 30, window: 600 },
} as never;

describe('counted in PostgreSQL', () => {
  let room: Awaited<ReturnType<typeof credentialsRoom>>;
  beforeAll(async () => {
    room = await credentialsRoom({ settings: { limits: budgets } });
  });
  afterAll(() => room.stop());
  beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }));
  afterEach(() => void vi.useRealTimers());
  contract(() => ({
    attempts: room.attempts,
    pass: async (seconds) => void vi.setSystemTime(Date.now() + seconds * 1000),
  }));

  it('a device is forgotten after a year', () => {
    const userId = newId();
    const cookie = room.attempts.deviceToken(userId);
    vi.setSystemTime(Date.now() + 364 * 86_400_000);
    expect(room.attempts.knownDevice(cookie, userId)).toBe(true);
    vi.setSystemTime(Date.now() + 2 * 86_400_000);
    expect(room.attempts.knownDevice(cookie, userId)).toBe(false);
  });

  it('remembers the last five people who use a browser, and the device of each', () => {
    const people = Array.from({ length: 7 }, newId);
    let cookie = '';
    for (const userId of people) cookie = room.attempts.deviceToken(userId, cookie);
    expect(people.map((userId) => room.attempts.knownDevice(cookie, userId))).toEqual([
      false,
      false,
      true,
      true,
      true,
      true,
      true,
    ]);
    const last = people[6]!;
    const again = room.attempts.deviceToken(last, cookie);
    expect(room.attempts.deviceOf(again, last)).toBe(room.attempts.deviceOf(cookie, last));
    expect(again.length).toBeLessThan(500);
  });
});

describe.skipIf(!inject('redisUrl'))('counted in Redis', () => {
  let room: Awaited<ReturnType<typeof credentialsRoom>>;
  let redis: RedisConnection;
  beforeAll(async () => {
    redis = await connectRedis(inject('redisUrl'), silentLog);
    room = await credentialsRoom({ redis, settings: { limits: budgets } });
  });
  afterAll(async () => {
    await room.stop();
    redis.disconnect();
  });
  contract(() => ({
    attempts: room.attempts,
    pass: async (seconds) => {
      for (const key of await redis.keys('limit:*')) await redis.pexpire(key, (await redis.pttl(key)) - seconds * 1000);
    },
  }));
});

it('where one of the budgets cannot be counted, no point of the others is missed', async () => {
  const points = new Map<string, number>();
  const add = (name: string, by: number) => points.set(name, (points.get(name) ?? 0) + by);
  const limits = {
    async take({ name }: Budget) {
      if (name === 'signinAddress') throw new Refusal('store.unavailable', { kind: 'unavailable' });
      // Longer under way than what fails.
      await new Promise(setImmediate);
      add(name, 1);
      return { allowed: true, taken: points.get(name)!, blocked: false, retryAfter: 0 };
    },
    giveBack: async ({ name }: Budget) => void add(name, -1),
  };
  const attempts = createAttempts({ limits: limits as never, clock: systemClock, vault: createVault('x'.repeat(40)) });
  await expect(attempts.before(stranger())).rejects.toMatchObject({ kind: 'unavailable' });
  expect(Object.fromEntries(points)).toEqual({ signinPair: 0, signinAccount: 0 });
});

describe('while nobody can count', () => {
  it('no guess is allowed', async () => {
    const redis = await connectRedis('redis://127.0.0.1:1', silentLog);
    const room = await credentialsRoom({ redis });
    await expect(room.attempts.before(stranger())).rejects.toMatchObject({ kind: 'unavailable' });
    redis.disconnect();
    await room.stop();
  });
});
