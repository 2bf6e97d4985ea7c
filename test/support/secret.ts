import { randomBytes } from 'node:crypto';

/**
 * A secret for one installation. Those of several tests share a Redis: with one secret they would count their tries
 * together, and the first to use up a budget would lock the others out.
 */
export const ownSecret = (): string => `for-tests-only-${randomBytes(24).toString('hex')}`;
