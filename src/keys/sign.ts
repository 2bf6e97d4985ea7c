import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import type { JWK } from 'jose';

/** JWS algorithms whose signatures take microseconds (RFC 7518, section 3.4; RFC 8037), and their digests. */
const quick: Record<string, string | null> = {
  ES256: 'sha256',
  ES384: 'sha384',
  EdDSA: null,
  Ed25519: null,
};

const objects = new WeakMap<JWK, KeyObject>();

/**
 * Signs at once, on the calling thread.
 * @param key a private key with its `alg`
 * @returns undefined for algorithms that would hold up everybody else (RSA)
 */
export function signNow(key: JWK, data: string): Buffer | undefined {
  const digest = quick[key.alg ?? ''];
  if (digest === undefined) return undefined;
  let object = objects.get(key);
  if (!object) {
    object = createPrivateKey({ key: key as never, format: 'jwk' });
    objects.set(key, object);
  }
  return sign(digest, Buffer.from(data), { key: object, dsaEncoding: 'ieee-p1363' });
}
