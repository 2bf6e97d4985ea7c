import { createHash } from 'node:crypto';
import { base64, type Family, same } from './family.ts';

const schemes: Record<string, { digest: string; bytes: number; salted: boolean }> = {
  MD5: { digest: 'md5', bytes: 16, salted: false },
  SMD5: { digest: 'md5', bytes: 16, salted: true },
  SHA: { digest: 'sha1', bytes: 20, salted: false },
  SSHA: { digest: 'sha1', bytes: 20, salted: true },
  SHA256: { digest: 'sha256', bytes: 32, salted: false },
  SSHA256: { digest: 'sha256', bytes: 32, salted: true },
  SHA384: { digest: 'sha384', bytes: 48, salted: false },
  SSHA384: { digest: 'sha384', bytes: 48, salted: true },
  SHA512: { digest: 'sha512', bytes: 64, salted: false },
  SSHA512: { digest: 'sha512', bytes: 64, salted: true },
};

/** `userPassword` of directories (RFC 2307): the digest of password and salt, then the salt. They cost next to nothing. */
export const ldapDigest: Family = (hash) => {
  const [, name, text] = /^\{([A-Za-z0-9-]{3,7})\}([A-Za-z0-9+/=]{20,1500})$/.exec(hash) ?? [];
  const scheme = name === undefined ? undefined : schemes[name.toUpperCase()];
  const bytes = text === undefined ? undefined : base64(text);
  if (!scheme || !bytes || (scheme.salted ? bytes.length <= scheme.bytes : bytes.length !== scheme.bytes)) {
    return undefined;
  }
  const digest = bytes.subarray(0, scheme.bytes);
  const salt = bytes.subarray(scheme.bytes);
  return {
    form: `ldap-${name!.toLowerCase()}`,
    dear: 0,
    verify: (password) => same(createHash(scheme.digest).update(password).update(salt).digest(), digest),
  };
};
