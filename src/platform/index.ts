/** The ground every room stands on; knows nothing of identity. Larger parts have doors of their own beside this one. */
export { allOf } from './all-of.ts';
export { type Bus, createBus } from './bus.ts';
export { type Clock, secondsAfter, systemClock } from './clock.ts';
export { createVault, isId, newId, randomToken, sameBytes, sha256, type Vault } from './crypto.ts';
export {
  type Allowance,
  addressKey,
  type Budget,
  type Count,
  createAllowance,
  createLimits,
  createRate,
  exceeded,
  type Limits,
  type Rate,
  rateLimitHeaders,
  refusalHeaders,
} from './limits/index.ts';
export { createLog, type Log, silentLog } from './log.ts';
export { connectRedis, type RedisConnection } from './redis.ts';
export { Refusal, type RefusalKind, statusOfKind } from './refusal.ts';
export { type CacheReads, type Remembered, remembered } from './remembered.ts';
export { settleAfterStart } from './settle.ts';
export { createStops, type Stops } from './stops/index.ts';
export { together } from './together.ts';
