import { createCipheriv, scryptSync } from 'node:crypto';
import { missing } from './bcrypt.ts';
import { base64, dottedBase64, type Family, type ForeignKey, mostBytes, same } from './family.ts';

interface Parameters {
  /** The logarithm to base 2 of RFC 7914's N. */
  ln: number;
  r: number;
  p: number;
}

/** 128 MiB (N = 2^17, r = 8: OWASP's first choice), and that much four times over in time. */
const mostMemory = 128 * 1024 * 1024;
const mostWork = 2 ** 17 * 8 * 4;

const memoryOf = ({ ln, r }: Parameters) => 128 * 2 ** ln * r;
const dear = (parameters: Parameters): number => {
  const { ln, r, p } = parameters;
  return Math.max(memoryOf(parameters) / mostMemory, (2 ** ln * r * p) / mostWork);
};

const derive = (password: string, salt: Buffer, bytes: number, parameters: Parameters): Buffer =>
  scryptSync(password, salt, bytes, {
    N: 2 ** parameters.ln,
    r: parameters.r,
    p: parameters.p,
    maxmem: memoryOf(parameters) + 32 * 1024 * 1024,
  });

const isSound = ({ ln, r, p }: Parameters) => ln >= 1 && ln <= 31 && r >= 1 && p >= 1;

function derived(parameters: Parameters, salt: Buffer | undefined, hash: Buffer | undefined) {
  if (!salt || !hash || hash.length < 16 || hash.length > mostBytes || salt.length > 1024) return undefined;
  if (!isSound(parameters)) return undefined;
  const { ln, r, p } = parameters;
  return {
    form: `scrypt:${ln},${r},${p}`,
    dear: dear(parameters),
    verify: (password: string) => same(derive(password, salt, hash.length, parameters), hash),
  };
}

/** `$scrypt$ln=16,r=8,p=1$salt$hash`, PHC and passlib alike. */
export const modularScrypt: Family = (hash) => {
  const [, ln, r, p, salt, digest] =
    /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,4}),p=(\d{1,4})\$([\w./+=-]*)\$([\w./+=-]+)$/.exec(hash) ?? [];
  if (!digest) return undefined;
  const parameters = { ln: Number(ln), r: Number(r), p: Number(p) };
  return derived(parameters, salt ? dottedBase64(salt) : Buffer.alloc(0), dottedBase64(digest));
};

/** `$s0$params$salt$hash`, as the libraries of Java, Go and Node write it: the parameters as one number, `e0801`. */
export const packedScrypt: Family = (hash) => {
  const [, packed, salt, digest] = /^\$s0\$([0-9a-f]{5,6})\$([\w+/=]+)\$([\w+/=]+)$/.exec(hash) ?? [];
  if (!digest) return undefined;
  const number = Number.parseInt(packed!, 16);
  return derived({ ln: number >> 16, r: (number >> 8) & 255, p: number & 255 }, base64(salt!), base64(digest));
};

/** Django's `scrypt$N$salt$r$p$hash`; the salt is text. */
export const djangoScrypt: Family = (hash) => {
  const [, n, salt, r, p, digest] =
    /^scrypt\$(\d{1,10})\$([^$]{1,256})\$(\d{1,4})\$(\d{1,4})\$([A-Za-z0-9+/=]+)$/.exec(hash) ?? [];
  const ln = Math.log2(Number(n));
  if (!digest || !Number.isInteger(ln)) return undefined;
  return derived({ ln, r: Number(r), p: Number(p) }, Buffer.from(salt!), base64(digest));
};

/**
 * Firebase Authentication: scrypt gives a key under which the project's signer key is encrypted (AES-256-CTR, the IV all
 * zero), and that is the hash. Kept as `$firebase$k=<key id>,ln=14,r=8$salt$hash`; the rest is in the key.
 */
export const firebase: Family = (hash) => {
  const [, keyId, ln, r, salt64, digest64] =
    /^\$firebase\$k=([\w-]{1,64}),ln=(\d{1,2}),r=(\d{1,4})\$([A-Za-z0-9+/=]*)\$([A-Za-z0-9+/=]+)$/.exec(hash) ?? [];
  if (!digest64) return undefined;
  const salt = salt64 ? base64(salt64) : Buffer.alloc(0);
  const digest = base64(digest64);
  const parameters = { ln: Number(ln), r: Number(r), p: 1 };
  if (!salt || !digest || digest.length < 16 || digest.length > mostBytes || !isSound(parameters)) return undefined;
  return {
    form: `firebase:${parameters.ln},${parameters.r}`,
    dear: dear(parameters),
    keyId: keyId!,
    verify(password, key) {
      if (key?.kind !== 'firebase') return missing(keyId);
      const separator = Buffer.from(key.saltSeparator, 'base64');
      const derivedKey = derive(password, Buffer.concat([salt, separator]), 32, parameters);
      const cipher = createCipheriv('aes-256-ctr', derivedKey, Buffer.alloc(16));
      return same(Buffer.concat([cipher.update(Buffer.from(key.signerKey, 'base64')), cipher.final()]), digest);
    },
  };
};

/** What Firebase exports of one account, as one text. */
export const firebaseHash = (
  { keyId, key }: { keyId: string; key: Extract<ForeignKey, { kind: 'firebase' }> },
  { salt, passwordHash }: { salt: string; passwordHash: string },
): string => `$firebase$k=${keyId},ln=${key.memCost},r=${key.rounds}$${standard(salt)}$${standard(passwordHash)}`;

/** Exports have it in either alphabet. */
const standard = (text: string) => text.replaceAll('-', '+').replaceAll('_', '/');
