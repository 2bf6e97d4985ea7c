/** The ground every room stands on; knows nothing of identity. Larger parts have doors of their own beside this one. */
export { addressKey } from './address-key.ts';
export { type Allowance, createAllowance } from './allowance.ts';
export { type Budget, type Count, exceeded, rateLimitHeaders, refusalHeaders } from './budget.ts';
export { type Bus, createBus } from './bus.ts';
export { type Clock, secondsAfter, systemClock } from './clock.ts';
export { createVault, isId, newId, randomToken, sameBytes, sha256, type Vault } from './crypto.ts';
export { createLimits, type Limits } from './limits.ts';
export { createLog, type Log, silentLog } from './log.ts';
export { createRate, type Rate } from './rate.ts';
export { connectRedis, type RedisConnection } from './redis.ts';
export { Refusal, type RefusalKind, statusOfKind } from './refusal.ts';
export { type CacheReads, type Remembered, remembered } from './remembered.ts';
export { settleAfterStart } from './settle.ts';
export { createStops, type Stops } from './stops/index.ts';
export { together } from './together.ts';
