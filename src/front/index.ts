/**
 * In front of everything else: plain requests to the endpoints that are asked most are answered with one round trip and
 * nothing in between. What each answers is its room's business; all others, and whatever is to be refused, go the long
 * way, through the engine, to the same answer.
 */
export { createFront, type ShortWay } from './front.ts';
export { createKnown, type Known, type KnownProofs } from './known.ts';
export { isForm } from './request.ts';
