import { createRemoteJWKSet, jwtVerify } from 'jose';
import type { ServerMetadata } from 'openid-client';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

/** Reads logout tokens as OpenID Connect Back-Channel Logout 1.0 §2.6 asks; anything else is thrown. */
export function createLogoutTokens(metadata: ServerMetadata, clientId: string) {
  const jwks = createRemoteJWKSet(new URL(metadata.jwks_uri!));
  const seen = new Map<string, number>();

  return async function read(token: string): Promise<{ sid?: string; sub?: string }> {
    const { payload } = await jwtVerify(token, jwks, {
      issuer: metadata.issuer,
      audience: clientId,
      typ: 'logout+jwt',
      // Signed with a key the provider publishes: neither `none` nor a shared secret.
      algorithms: ['ES256', 'ES384', 'ES512', 'RS256', 'PS256', 'EdDSA', 'Ed25519'],
      requiredClaims: ['iat', 'exp', 'jti', 'events'],
      maxTokenAge: '5 minutes',
      clockTolerance: 30,
    });
    const { events, nonce, jti, exp, sid, sub } = payload;
    if (!isObject(events) || !isObject(events[EVENT])) throw new Error('It tells of no logout.');
    // An ID token always carries a nonce here: nobody shall pass one off as a logout token.
    if (nonce !== undefined) throw new Error('A logout token has no nonce.');
    if (typeof sid !== 'string' && typeof sub !== 'string') throw new Error('It names neither session nor person.');
    refuseReplay(jti!, exp! * 1000);
    return { sid: typeof sid === 'string' ? sid : undefined, sub };
  };

  function refuseReplay(jti: string, expiresAt: number) {
    for (const [id, end] of seen) if (end < Date.now()) seen.delete(id);
    if (seen.has(jti)) throw new Error('It was sent before.');
    seen.set(jti, expiresAt);
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
