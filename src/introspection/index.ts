/**
 * Services ask whether a token is live, and clients take tokens back; for opaque tokens and JWTs alike. The application,
 * the grant, the session and the person's standing are the switch: end one, and every token that hangs on it is dead at
 * its next use, whatever its format, on every process. The engine authenticates whoever asks for the first time and refuses
 * whatever is to be refused. The doors of our own APIs let requests in by the same
 * knowledge (`bearer`).
 */

export { type AnswerPorts, createAnswer } from './answer.ts';
export { type Bearer, type Caller, createBearer, type Wanted } from './bearer.ts';
export { grantClaim, sessionClaim, withOrigin } from './origin.ts';
export { type OwnScope, ownApi, ownApiIdentifier } from './own-api.ts';
export { introspectShortly, type KnownCallers } from './short-way.ts';
export { createTokenEndpoints } from './token-endpoints.ts';
