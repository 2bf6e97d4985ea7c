import { pbkdf2Sync } from 'node:crypto';
import { base64, dottedBase64, type Family, type Foreign, mostBytes, same } from './family.ts';

type Digest = 'sha1' | 'sha256' | 'sha512';
const digestBytes: Record<Digest, number> = { sha1: 20, sha256: 32, sha512: 64 };

/** Blocks times iterations: a second and a half. OWASP asks for 600,000 of SHA-256, Django 5.2 does a million. */
const mostWork = 5_000_000;

function derived(
  digest: Digest,
  iterations: number,
  salt: Buffer | undefined,
  hash: Buffer | undefined,
): Foreign | undefined {
  if (!salt || !hash || hash.length < 16 || hash.length > mostBytes || salt.length > 1024) return undefined;
  if (!Number.isSafeInteger(iterations) || iterations < 1) return undefined;
  const work = iterations * Math.ceil(hash.length / digestBytes[digest]);
  return {
    form: `pbkdf2-${digest}:${iterations}`,
    dear: work / mostWork,
    verify: (password) => same(pbkdf2Sync(password, salt, iterations, hash.length, digest), hash),
  };
}

/**
 * `$pbkdf2$…` (SHA-1), `$pbkdf2-sha256$…`, `$pbkdf2-sha512$…`: passlib's modular form, its `{PBKDF2…}` for LDAP, and
 * the PHC form with `i=`, which is also what Keycloak's records are kept as.
 */
export const modularPbkdf2: Family = (hash) => {
  const [, name, iterations, salt, digest] =
    /^(?:\$pbkdf2|\{PBKDF2)(-sha256|-sha512|-SHA256|-SHA512)?[$}](?:i=)?([1-9]\d{0,9})(?:,l=\d{1,3})?\$([\w./+=-]*)\$([\w./+=-]+)$/.exec(
      hash,
    ) ?? [];
  if (!digest) return undefined;
  const which = (name?.slice(1).toLowerCase() ?? 'sha1') as Digest;
  return derived(which, Number(iterations), salt ? dottedBase64(salt) : Buffer.alloc(0), dottedBase64(digest));
};

/** Django's `pbkdf2_sha256$iterations$salt$hash`; the salt is text. */
export const djangoPbkdf2: Family = (hash) => {
  const [, name, iterations, salt, digest] =
    /^pbkdf2_(sha1|sha256)\$([1-9]\d{0,9})\$([^$]{1,256})\$([A-Za-z0-9+/=]+)$/.exec(hash) ?? [];
  return digest ? derived(name as Digest, Number(iterations), Buffer.from(salt!), base64(digest)) : undefined;
};

const prfs: readonly Digest[] = ['sha1', 'sha256', 'sha512'];

/**
 * ASP.NET Identity, in base64. Version 2: a zero, 16 bytes of salt, 32 of PBKDF2-HMAC-SHA1 after 1,000 iterations.
 * Version 3: a one; PRF, iterations and the salt's length as big-endian 32 bits; salt; subkey.
 */
export const aspNetIdentity: Family = (hash) => {
  if (!/^A[A-Q][A-Za-z0-9+/]{40,1024}={0,2}$/.test(hash)) return undefined;
  const bytes = base64(hash);
  if (bytes?.[0] === 0 && bytes.length === 49) return derived('sha1', 1_000, bytes.subarray(1, 17), bytes.subarray(17));
  if (bytes?.[0] !== 1 || bytes.length < 13 + 32) return undefined;
  const digest = prfs[bytes.readUInt32BE(1)];
  const saltLength = bytes.readUInt32BE(9);
  if (!digest || saltLength < 16 || saltLength > bytes.length - 13 - 16) return undefined;
  const salt = bytes.subarray(13, 13 + saltLength);
  return derived(digest, bytes.readUInt32BE(5), salt, bytes.subarray(13 + saltLength));
};
