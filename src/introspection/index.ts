/**
 * Services ask whether a token is live, and clients take tokens back; for opaque tokens and JWTs alike. The application,
 * the grant, the session and the person's standing are the switch: end one, and every token that hangs on it is dead at
 * its next use, whatever its format, on every process. Stands in front of the engine, which authenticates whoever asks
 * for the first time and refuses whatever is to be refused. The doors of our own APIs let requests in by the same
 * knowledge (`bearer`).
 */

export { type AnswerPorts, createAnswer } from './answer.ts';
export { type Bearer, type Caller, createBearer, type Wanted } from './bearer.ts';
export { createKnownCallers, type KnownCallers } from './callers.ts';
export { createFront } from './front.ts';
export { grantClaim, sessionClaim, withOrigin } from './origin.ts';
export { type OwnScope, ownApi, ownApiIdentifier } from './own-api.ts';
export { createTokenEndpoints } from './token-endpoints.ts';
