import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify } from 'jose';
import { errors } from 'oidc-provider';
import { type Clock, sha256 } from '../platform/index.ts';
import type { Sessions } from '../sessions/index.ts';

/** How far a proof's `iat` may be from our clock, in seconds; so long its mark is kept. */
const window = 60;
export const proofAlgorithms = ['ES256', 'Ed25519', 'EdDSA'];

/**
 * Checks a DPoP proof that comes with an access token (RFC 9449, section 4.3): of this request, of this token, fresh,
 * and never seen before.
 * @returns the thumbprint of its key, or undefined when any of it is wrong
 */
export function createProofCheck({ clock, sessions }: { clock: Clock; sessions: Pick<Sessions, 'adapter'> }) {
  const replays = sessions.adapter('ReplayDetection');

  const isFirst = async (jti: string, thumbprint: string): Promise<boolean> => {
    const exp = Math.floor(clock.now().getTime() / 1000) + 2 * window;
    try {
      // The store writes the mark or throws: of many at once one is the first.
      await replays.upsert(sha256(`${thumbprint} ${jti}`), { iss: thumbprint, exp }, 2 * window);
      return true;
    } catch (error) {
      if (error instanceof errors.InvalidGrant) return false;
      throw error;
    }
  };

  return async (
    proof: string,
    request: { method: string; url: string; token: string },
  ): Promise<string | undefined> => {
    const read = await jwtVerify(proof, EmbeddedJWK, {
      algorithms: proofAlgorithms,
      typ: 'dpop+jwt',
      requiredClaims: ['jti', 'iat'],
      currentDate: clock.now(),
    }).catch(() => undefined);
    if (!read) return undefined;
    const { payload, protectedHeader } = read;
    const age = Math.abs(clock.now().getTime() / 1000 - (payload.iat as number));
    const isOfThis =
      typeof payload.iat === 'number' &&
      age <= window &&
      typeof payload.jti === 'string' &&
      payload.htm === request.method &&
      sameTarget(payload.htu, request.url) &&
      payload.ath === sha256(request.token);
    if (!isOfThis) return undefined;
    const thumbprint = await calculateJwkThumbprint(protectedHeader.jwk!);
    return (await isFirst(payload.jti as string, thumbprint)) ? thumbprint : undefined;
  };
}

/** Query and fragment do not count; other spellings of one URL do not matter (RFC 9449, section 4.3). */
function sameTarget(htu: unknown, url: string): boolean {
  if (typeof htu !== 'string' || !URL.canParse(htu)) return false;
  const bare = (text: string) => {
    const { origin, pathname } = new URL(text);
    return origin + pathname;
  };
  return bare(htu) === bare(url);
}
