/**
 * Services ask whether a token is live, and clients take tokens back; for opaque tokens and JWTs alike. The grant, the
 * session and the person's standing are the switch: end one, and every token that hangs on it is dead at its next use,
 * whatever its format. Who may ask is decided before, by the engine's client authentication.
 */

export { grantClaim, sessionClaim, withOrigin } from './origin.ts';
export { createTokenEndpoints } from './token-endpoints.ts';
