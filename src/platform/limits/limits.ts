import type { Pool } from 'pg';
import {
  RateLimiterPostgres,
  RateLimiterRedis,
  RateLimiterRes,
  type RateLimiterStoreAbstract,
} from 'rate-limiter-flexible';
import type { Vault } from '../crypto.ts';
import type { Log } from '../log.ts';
import type { RedisConnection } from '../redis.ts';
import { Refusal } from '../refusal.ts';
import { type Budget, type Count, exceeded } from './budget.ts';

/** Budgets counted for all processes together, in Redis when there is one, else in PostgreSQL. Keys are kept as MACs. */
export interface Limits {
  /** Takes a point before the work is done: of 64 at once, no more than `points` are allowed. */
  take(budget: Budget, key: string): Promise<Count>;
  /** As {@link take}. @throws Refusal `limit.exceeded` (limited) */
  demand(budget: Budget, key: string): Promise<void>;
  /** Gives one point of the running window back; never below none, so that it cannot be saved up. */
  giveBack(budget: Budget, key: string): Promise<void>;
  /** Reads without counting. */
  look(budget: Budget, key: string): Promise<Count>;
  /** Uses the budget up for so long. */
  block(budget: Budget, key: string, seconds: number): Promise<void>;
  forget(budget: Budget, key: string): Promise<void>;
}

/** Far over any budget, so that points given back by those still under way do not end a block. */
const blockedPoints = 1_000_000;

const giveBackInRedis = `local n = tonumber(redis.call('get', KEYS[1]) or '0')
if n > 0 then redis.call('decr', KEYS[1]) end`;

/**
 * @param options.pool statements run on connections of their own: a rolled back transaction must not undo a count
 * @throws Refusal `store.unavailable` from budgets that close while the store is out of reach
 */
export function createLimits(options: {
  pool: Pool;
  redis?: RedisConnection | undefined;
  vault: Vault;
  log: Log;
}): Limits {
  const { pool, redis, vault, log } = options;
  const limiters = new Map<string, RateLimiterStoreAbstract>();

  // The library teaches the connection its script when a limiter is made. A pipeline that is open at that moment does not
  // learn it, and a limiter made under load would end the process: so one is made before there is any.
  if (redis) new RateLimiterRedis({ keyPrefix: 'limit', points: 1, duration: 1, storeClient: redis });

  const limiterOf = (budget: Budget): RateLimiterStoreAbstract => {
    const known = limiters.get(budget.name);
    if (known) return known;
    const common = { keyPrefix: `limit:${budget.name}`, points: budget.points, duration: budget.seconds };
    const made = redis
      ? new RateLimiterRedis({ ...common, storeClient: redis })
      : new RateLimiterPostgres({
          ...common,
          storeClient: pool,
          storeType: 'pool',
          tableName: 'rate_limit',
          tableCreated: true,
          // Each sweeps the whole table: one of them is enough.
          clearExpiredByTimeout: limiters.size === 0,
        });
    limiters.set(budget.name, made);
    return made;
  };

  const seconds = (milliseconds: number) => Math.max(0, Math.ceil(milliseconds / 1000));
  const countOf = (budget: Budget, result: RateLimiterRes | null): Count => {
    const taken = Math.max(0, result?.consumedPoints ?? 0);
    const allowed = taken <= budget.points;
    const blocked = taken > budget.points + blockedPoints / 2;
    return { taken, allowed, blocked, retryAfter: seconds(result?.msBeforeNext ?? 0) };
  };

  const guarded = async <T>(
    budget: Budget,
    open: T,
    work: (key: RateLimiterStoreAbstract) => Promise<T>,
  ): Promise<T> => {
    try {
      return await work(limiterOf(budget));
    } catch (error) {
      if (budget.onFault === 'closed') {
        throw new Refusal('store.unavailable', { kind: 'unavailable', retryAfter: 2, cause: error });
      }
      log.warn({ err: error, budget: budget.name }, 'limits cannot be counted: this one stands open');
      return open;
    }
  };

  const unlimited: Count = { taken: 0, allowed: true, blocked: false, retryAfter: 0 };
  const hidden = (key: string) => vault.mac(key, 'limits');

  const limits: Limits = {
    take: (budget, key) =>
      guarded(budget, unlimited, async (limiter) => {
        const result = await limiter.consume(hidden(key)).catch((refused: unknown) => {
          if (refused instanceof RateLimiterRes) return refused;
          throw refused;
        });
        return countOf(budget, result);
      }),

    async demand(budget, key) {
      const { allowed, retryAfter } = await limits.take(budget, key);
      if (!allowed) throw exceeded(budget, retryAfter);
    },

    giveBack: (budget, key) =>
      // The library's own `reward` starts a window with a credit when the last one has just ended.
      guarded(budget, undefined, async (limiter) => {
        const name = limiter.getKey(hidden(key));
        if (redis) await redis.eval(giveBackInRedis, 1, name);
        else {
          await pool.query('update rate_limit set points = points - 1 where key = $1 and points > 0 and expire > $2', [
            name,
            Date.now(),
          ]);
        }
      }),

    look: (budget, key) =>
      guarded(budget, unlimited, async (limiter) => countOf(budget, await limiter.get(hidden(key)))),

    block: (budget, key, length) =>
      guarded(budget, undefined, async (limiter) => {
        await limiter.set(hidden(key), budget.points + blockedPoints, length);
      }),

    forget: (budget, key) =>
      guarded(budget, undefined, async (limiter) => {
        await limiter.delete(hidden(key));
      }),
  };
  return limits;
}
