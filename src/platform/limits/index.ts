/** How much of what somebody may ask: budgets counted for all processes together, and cheaper ways to count often. */
export { addressKey } from './address-key.ts';
export { type Allowance, createAllowance } from './allowance.ts';
export { type Budget, type Count, exceeded, rateLimitHeaders, refusalHeaders } from './budget.ts';
export { createLimits, type Limits } from './limits.ts';
export { createRate, type Rate } from './rate.ts';
