/**
 * What Cardea counts of itself: every figure of its own by name, and where it is read. The rooms know nothing of it; they
 * tell what happened through hooks that nobody waits for, or answer how things stand when they are asked at a scrape.
 * Labels are names out of our own catalogues: never a person, an address, a client's id, a path or a token.
 */
export { createMeasures, type Measures } from './measures.ts';
