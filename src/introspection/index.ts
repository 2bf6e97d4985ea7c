/**
 * Services ask whether a token is live, and clients take tokens back; for opaque tokens and JWTs alike. The application,
 * the grant, the session and the person's standing are the switch: end one, and every token that hangs on it is dead at
 * its next use, whatever its format, on every process. Stands in front of the engine, which authenticates whoever asks
 * for the first time and refuses whatever is to be refused.
 */

export { type AnswerPorts, createAnswer } from './answer.ts';
export { createKnownCallers, type KnownCallers } from './callers.ts';
export { createFront } from './front.ts';
export { grantClaim, sessionClaim, withOrigin } from './origin.ts';
export { createTokenEndpoints } from './token-endpoints.ts';
