import { vi } from 'vitest';
import { createDb, type Db } from '../../src/platform/db/index.ts';
import {
  type Bus,
  type Clock,
  createBus,
  createVault,
  type Log,
  silentLog,
  type Vault,
} from '../../src/platform/index.ts';
import { freshDatabase } from './database.ts';

/** A clock that stands until it is moved. */
export interface MovableClock extends Clock {
  /** @param seconds forward */
  move(seconds: number): void;
}

/** What every room needs, as one process has it. */
export interface Ground {
  db: Db;
  bus: Bus;
  clock: MovableClock;
  vault: Vault;
  log: Log;
}

/**
 * A fresh database and any number of processes' ground on it; the first comes with it.
 * `close` ends all of them and drops the database.
 */
export async function createGround(): Promise<
  Ground & { another(): Promise<Ground>; url: string; close(): Promise<void> }
> {
  const { url, drop } = await freshDatabase();
  const clock = createMovableClock();
  const vault = createVault('a secret for tests only, long enough to be one');
  const made: Ground[] = [];
  const another = async () => {
    const db = await createDb({ url, entities: [], migrations: '', log: silentLog });
    const bus = await createBus({ url, db, log: silentLog });
    const ground = { db, bus, clock, vault, log: silentLog };
    made.push(ground);
    return ground;
  };
  return {
    ...(await another()),
    another,
    url,
    async close() {
      for (const { bus, db } of made) {
        await bus.close();
        await db.close();
      }
      await drop();
    },
  };
}

export function createMovableClock(start = new Date('2026-01-01T00:00:00Z')): MovableClock {
  let now = start.getTime();
  return {
    now: () => new Date(now),
    move: (seconds) => {
      now += seconds * 1000;
    },
  };
}

/** Waits for what must come true soon, however busy the machine is. */
export const eventually = <T>(check: () => T | Promise<T>, options: { timeout?: number; interval?: number } = {}) =>
  vi.waitFor(check, { timeout: 15_000, interval: 20, ...options });
