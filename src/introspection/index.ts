/**
 * Services ask whether a token is live, and clients take tokens back; for opaque tokens and JWTs alike. The grant, the
 * session and the person's standing are the switch: end one, and every token that hangs on it is dead at its next use,
 * whatever its format. Who may ask is decided before, by the engine's client authentication. The doors of our own APIs
 * let requests in by the same knowledge (`bearer`).
 */

export { type Bearer, type Caller, createBearer, type Wanted } from './bearer.ts';
export { grantClaim, sessionClaim, withOrigin } from './origin.ts';
export { type OwnScope, ownApi, ownApiIdentifier } from './own-api.ts';
export { createTokenEndpoints } from './token-endpoints.ts';
