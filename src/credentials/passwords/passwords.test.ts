import { generateKeyPairSync, sign } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { hashSync } from '@node-rs/argon2';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { credentialsRoom } from '../../../test/support/credentials.ts';
import { newId, silentLog, systemClock } from '../../platform/index.ts';
import { type Cost, createHashing } from './hashing.ts';
import { createPasswords, defaultCost, type Passwords } from './passwords.ts';

const cheap: Cost = { memoryCost: 64, timeCost: 1, parallelism: 1 };
let room: Awaited<ReturnType<typeof credentialsRoom>>;
let passwords: Passwords;
const made: Passwords[] = [];
const withCost = (cost: Cost) => {
  const it = createPasswords({
    db: room.db,
    clock: systemClock,
    log: silentLog,
    vault: room.vault,
    settings: { cost, threads: 1 },
  });
  made.push(it);
  return it;
};
beforeAll(async () => {
  room = await credentialsRoom();
  passwords = room.passwords;
});
afterAll(async () => {
  await Promise.all(made.map((one) => one.close()));
  await room.stop();
});
const hashOf = async (userId: string) =>
  (await room.db.query<{ hash: string }>('select hash from password where user_id = $1', [userId]))[0]?.hash ?? '';

describe('a password', () => {
  it('is known again, and no other', async () => {
    const id = newId();
    await passwords.set(id, 'ember lantern quietly');
    expect(await passwords.has(id)).toBe(true);
    expect(await passwords.check(id, 'ember lantern quietly')).toBe(true);
    expect(await passwords.check(id, 'ember lantern quietly ')).toBe(false);
    expect(await passwords.check(id, 'Ember lantern quietly')).toBe(false);
    expect(await passwords.check(newId(), 'ember lantern quietly')).toBe(false);
    expect(await passwords.check(undefined, 'ember lantern quietly')).toBe(false);
    await passwords.remove(id);
    expect(await passwords.has(id)).toBe(false);
    expect(await passwords.check(id, 'ember lantern quietly')).toBe(false);
  });

  it('is stored as argon2id with OWASP’s parameters', async () => {
    const { hash } = await withCost(defaultCost).prepare('ember lantern quietly');
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(hash).not.toContain('ember');
  });

  it('is the same however its letters are composed', async () => {
    const id = newId();
    await passwords.set(id, 'Übergrößenträger ﬁnal Å');
    expect(await passwords.check(id, 'Übergrößenträger ﬁnal Å'.normalize('NFD'))).toBe(true);
    expect(await passwords.check(id, 'Übergrößenträger final Å')).toBe(true);
  });

  it('too long to be one is refused without being hashed, and is no other’s beginning', async () => {
    const id = newId();
    await passwords.set(id, 'x'.repeat(1024));
    expect(await passwords.check(id, 'x'.repeat(1024))).toBe(true);
    expect(await passwords.check(id, 'x'.repeat(1025))).toBe(false);
    await expect(passwords.prepare('x'.repeat(1025))).rejects.toMatchObject({ code: 'password.too_long' });
    expect(await passwords.check(id, 'x'.repeat(10_000_000))).toBe(false);
  });

  it('is rolled back with the transaction that stored it', async () => {
    const id = newId();
    const prepared = await passwords.prepare('ember lantern quietly');
    const failing = room.db.transact(async () => {
      await passwords.store(id, prepared);
      throw new Error('not today');
    });
    await expect(failing).rejects.toThrow('not today');
    expect(await passwords.has(id)).toBe(false);
  });
});

describe('when the parameters change', () => {
  const dearer: Cost = { memoryCost: 128, timeCost: 2, parallelism: 1 };

  it('the next right sign-in hashes anew, a wrong one does not', async () => {
    const id = newId();
    await passwords.set(id, 'ember lantern quietly');
    const changed = await passwords.changedAt(id);
    const later = withCost(dearer);
    expect(await later.check(id, 'wrong')).toBe(false);
    expect(await hashOf(id)).toContain('m=64,t=1');
    expect(await later.check(id, 'ember lantern quietly')).toBe(true);
    expect(await hashOf(id)).toContain('m=128,t=2');
    expect(await later.check(id, 'ember lantern quietly')).toBe(true);
    expect(await passwords.changedAt(id)).toEqual(changed);
  });

  it('hashing anew does not undo a change made meanwhile', async () => {
    const id = newId();
    await passwords.set(id, 'ember lantern quietly');
    const later = withCost(dearer);
    const next = await later.prepare('another altogether');
    await Promise.all([
      later.check(id, 'ember lantern quietly'),
      later.check(id, 'ember lantern quietly'),
      later.store(id, next),
    ]);
    expect(await later.check(id, 'another altogether')).toBe(true);
    expect(await later.check(id, 'ember lantern quietly')).toBe(false);
  });
});

describe('hashes from elsewhere', () => {
  it.each([0, 1, 2])('argon2 variant %i is taken over and hashed anew at sign-in', async (algorithm) => {
    const id = newId();
    await passwords.importHash(id, hashSync('ember lantern quietly', { ...cheap, algorithm, timeCost: 3 }));
    expect(await passwords.check(id, 'wrong')).toBe(false);
    expect(await passwords.check(id, 'ember lantern quietly')).toBe(true);
    expect(await hashOf(id)).toMatch(/^\$argon2id\$v=19\$m=64,t=1,p=1\$/);
  });

  const salt = 'c2FsdHNhbHRzYWx0';
  const tail = `${salt}$${'A'.repeat(43)}`;
  it.each([
    ['', 'nothing'],
    ['password', 'clear text'],
    ['$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMU', 'half a bcrypt'],
    [`$argon2id$v=19$m=9999999,t=3,p=1$${tail}`, 'ten gigabytes'],
    [`$argon2id$v=19$m=65536,t=999,p=1$${tail}`, 'a thousand passes'],
    [`$argon2id$v=19$m=65536,t=3,p=255$${tail}`, 'lanes without end'],
    [`$argon2id$v=19$m=0,t=0,p=0$${tail}`, 'no work'],
    [`$argon2id$v=19$m=65536,t=3,p=1$${tail}\n`, 'a line break'],
  ])('%s (%s) is refused', async (phc) => {
    await expect(passwords.importHash(newId(), phc)).rejects.toMatchObject({
      code: expect.stringMatching(/^password\.hash_(unusable|too_dear)$/),
    });
  });
});

describe('the hashing threads', () => {
  it('refuse what would wait too long, and serve the others', async () => {
    const hashing = createHashing({ threads: 1, queue: 3 });
    const all = await Promise.allSettled(Array.from({ length: 8 }, () => hashing.hash('a password', cheap)));
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(4);
    const refused = all.find((one) => one.status === 'rejected');
    expect(refused?.reason).toMatchObject({ code: 'credential.busy', kind: 'unavailable', retryAfter: 2 });
    expect(await hashing.verify(await hashing.hash('a password', cheap), 'a password')).toBe(true);
    await hashing.close();
    await expect(hashing.hash('a password', cheap)).rejects.toMatchObject({ code: 'credential.busy' });
  });

  it('tell how much they have to do, and how long each job waited', async () => {
    const waits: number[] = [];
    const hashing = createHashing({ threads: 1, waited: (seconds) => waits.push(seconds) });
    expect(hashing.load()).toEqual({ working: 0, waiting: 0, threads: 1 });
    const all = Promise.all([1, 2, 3].map(() => hashing.hash('a password', cheap)));
    expect(hashing.load()).toEqual({ working: 1, waiting: 2, threads: 1 });
    await all;
    expect(hashing.load()).toEqual({ working: 0, waiting: 0, threads: 1 });
    expect(waits).toHaveLength(3);
    expect(waits[2]).toBeGreaterThan(waits[0]!);
    await hashing.close();
  });

  it('survive a job that fails, and say nothing of the password', async () => {
    const hashing = createHashing({ threads: 1 });
    const failed = await hashing.verify('no hash', 'a secret password').catch((error: Error) => error);
    expect(failed).toBeInstanceOf(Error);
    expect(String(failed)).not.toContain('secret');
    expect(await hashing.hash('a password', cheap)).toContain('$argon2id$');
    await hashing.close();
  });

  it('end when they had nothing to do for a while, and start again for the next', async () => {
    const hashing = createHashing({ threads: 2, rest: 0.02 });
    const ended = vi.spyOn(Worker.prototype, 'terminate');
    await Promise.all([1, 2].map(() => hashing.hash('a password', cheap)));
    await expect.poll(() => ended.mock.calls.length, { timeout: 5_000 }).toBe(2);
    expect(hashing.load()).toMatchObject({ working: 0 });
    expect(await hashing.hash('a password', cheap)).toContain('$argon2id$');
    await hashing.close();
  });

  it('do not delay signatures while they are saturated', async () => {
    const hashing = createHashing({ threads: 2 });
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const hashes = Promise.all(Array.from({ length: 100 }, () => hashing.hash('a password', defaultCost)));
    const times: number[] = [];
    for (let i = 0; i < 60; i++) {
      const start = performance.now();
      await new Promise<void>((done, fail) =>
        sign('sha256', Buffer.from('x'), privateKey, (error) => (error ? fail(error) : done())),
      );
      times.push(performance.now() - start);
    }
    // On libuv's own pool each signature would wait for a dozen hashes: a quarter of a second.
    expect(times.sort((a, b) => a - b)[30]).toBeLessThan(40);
    await hashes;
    await hashing.close();
  });
});
