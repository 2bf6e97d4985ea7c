import type { JWTPayload } from 'jose';
import type { TokenOrigin } from './standing-behind.ts';

/**
 * Where a JWT access token comes from: the ids of its grant and, when it ends with it, of its session. They are names
 * and not credentials; by them a token that nobody stores can still be ended. They are cut out of what we answer.
 */
export const grantClaim = 'gid';
export const sessionClaim = 'suid';

interface IssuedToken {
  grantId?: string | undefined;
  sessionUid?: string | undefined;
  expiresWithSession?: boolean | undefined;
}

/** The engine's customizer of JWT access tokens (RFC 9068). */
export function withOrigin(_ctx: unknown, token: unknown, jwt: { payload: Record<string, unknown> }): void {
  const { grantId, sessionUid, expiresWithSession } = token as IssuedToken;
  if (grantId) jwt.payload[grantClaim] = grantId;
  if (sessionUid && expiresWithSession) jwt.payload[sessionClaim] = sessionUid;
}

/** What a JWT access token of ours hangs on. */
export const originOf = (claims: JWTPayload & { client_id: string }): TokenOrigin => ({
  clientId: claims.client_id,
  subject: String(claims.sub),
  ...(claims[grantClaim] !== undefined && { grantId: String(claims[grantClaim]) }),
  ...(claims[sessionClaim] !== undefined && { sessionUid: String(claims[sessionClaim]) }),
});
