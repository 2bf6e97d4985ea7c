import { createRemoteJWKSet, customFetch, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose';
import { type Clock, sameBytes } from '../../platform/index.ts';
import type { Call } from '../../platform/outbound.ts';
import { AnswerRefused } from './upstream.ts';

/** Asymmetric only: with `none` anybody signs, with HS256 whoever knows the client secret does. */
export const algorithms = [
  'ES256',
  'ES384',
  'ES512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'EdDSA',
  'Ed25519',
];

/** Clocks differ. */
export const clockTolerance = 60;

/** Keys of the provider; one not known is looked for again, at most every few seconds, so that it may change them. */
export function createVerifier(deps: { jwksUri: string; call: Call; clock: Clock }) {
  const keys = createRemoteJWKSet(new URL(deps.jwksUri), {
    [customFetch]: deps.call as never,
    cooldownDuration: 5_000,
    cacheMaxAge: 600_000,
  });
  return async (token: string, options: JWTVerifyOptions): Promise<JWTPayload> => {
    const { payload } = await jwtVerify(token, keys, {
      algorithms,
      clockTolerance,
      currentDate: deps.clock.now(),
      ...options,
    });
    return payload;
  };
}

export type Verifier = ReturnType<typeof createVerifier>;

/** The whole of OpenID Connect Core 1.0, section 3.1.3.7, for a token that came with a code. */
export async function verifyIdToken(
  verify: Verifier,
  token: string,
  expected: { issuer: string | string[]; clientId: string; nonce: string | undefined },
): Promise<JWTPayload & { sub: string }> {
  const claims = await verify(token, {
    issuer: expected.issuer,
    audience: expected.clientId,
    requiredClaims: ['sub', 'iat', 'exp'],
  });
  const several = Array.isArray(claims.aud) && claims.aud.length > 1;
  if ((several || claims.azp !== undefined) && claims.azp !== expected.clientId) {
    throw new AnswerRefused('the ID token was made for another client (azp)');
  }
  if (expected.nonce !== undefined && !sameBytes(String(claims.nonce ?? ''), expected.nonce)) {
    throw new AnswerRefused('the ID token belongs to another sign-in (nonce)');
  }
  return claims as JWTPayload & { sub: string };
}
