import { hash } from 'node:crypto';
import { type CryptoKey, importJWK, type JWTPayload, jwtVerify } from 'jose';
import type { Keys } from '../keys/index.ts';
import { type Clock, Refusal } from '../platform/index.ts';

/** A JWT access token of ours whose signature, issuer and time are in order (RFC 9068, section 4). */
export interface AccessTokenClaims extends JWTPayload {
  client_id: string;
  jti: string;
  exp: number;
  scope?: string;
  cnf?: Record<string, string>;
}

export interface JwtReader {
  /** @param options.expired also reads one whose time is over, for revoking it. @returns undefined for what is not ours */
  read(token: string, options?: { expired?: boolean }): Promise<AccessTokenClaims | undefined>;
}

/** Opaque tokens are base64url and have no dots. */
export const looksLikeJwt = (token: string): boolean => token.includes('.');

/** Signatures that were found right; a check costs more than all the rest of an answer. */
const mostChecked = 20_000;

export function createJwtReader({ keys, issuer, clock }: { keys: Keys; issuer: string; clock: Clock }): JwtReader {
  const imported = new Map<string, CryptoKey>();

  const keyOf = async ({ kid, alg }: { kid?: string; alg?: string }): Promise<CryptoKey> => {
    const jwk = kid ? await keys.find(kid) : undefined;
    if (!jwk || !kid || jwk.alg !== alg) throw new Error('no such key');
    let key = imported.get(kid);
    if (!key) {
      key = (await importJWK(jwk, alg)) as CryptoKey;
      imported.set(kid, key);
    }
    return key;
  };

  const checked = new Map<string, { claims: AccessTokenClaims; kid: string }>();

  return {
    async read(token, { expired = false } = {}) {
      await keys.catchUp();
      const name = hash('sha256', token, 'base64');
      const before = checked.get(name);
      // A key that is gone takes all that it signed along.
      if (before && (await keys.find(before.kid)))
        return expired || before.claims.exp * 1000 > clock.now().getTime() ? before.claims : undefined;
      try {
        const { payload, protectedHeader } = await jwtVerify(token, keyOf, {
          issuer,
          typ: 'at+jwt',
          requiredClaims: ['exp', 'jti', 'client_id', 'sub', 'aud'],
          currentDate: expired ? new Date(0) : clock.now(),
        });
        if (!expired) {
          if (checked.size >= mostChecked) checked.delete(checked.keys().next().value!);
          checked.set(name, { claims: payload as AccessTokenClaims, kid: protectedHeader.kid! });
        }
        return payload as AccessTokenClaims;
      } catch (error) {
        // Its key could not be looked for: that says nothing of the token.
        if (error instanceof Refusal) throw error;
        // Malformed, foreign, forged or expired: all the same to whoever asks (RFC 7662, section 2.2).
        return undefined;
      }
    },
  };
}
