import { timingSafeEqual } from 'node:crypto';

/** What some systems keep apart from their hashes. Sealed in `password_key`, named in the hash by its id. */
export type ForeignKey =
  | { kind: 'firebase'; signerKey: string; saltSeparator: string; rounds: number; memCost: number }
  | { kind: 'pepper'; pepper: string };

/** A hash of another system, understood. */
export interface Foreign {
  /** The kind and cost, such as `bcrypt:12`: for counting, never anything of the person. */
  form: string;
  /** What verifying costs, as a share of the most that is allowed: above 1 it is never computed. */
  dear: number;
  /** Id of the {@link ForeignKey} it takes. */
  keyId?: string;
  /** Slow and synchronous: for the hashing threads. Compares in constant time. */
  verify(password: string, key?: ForeignKey): boolean;
}

/** Reads one family's hashes; undefined for everything else. Cheap, and total: nothing that is thrown at it throws. */
export type Family = (hash: string) => Foreign | undefined;

/** The most bytes that are derived: more is nobody's hash. */
export const mostBytes = 128;

/**
 * Longest password, in bytes, for the families that read all of it in each of their rounds: a long one would multiply what
 * the hash's own parameters cost.
 */
export const mostPasswordBytes = 256;

/** Padded or not, but nothing that is not base64 (Buffer would pass over it in silence). */
export function base64(text: string): Buffer | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64').replace(/=+$/, '') === text.replace(/=+$/, '') ? bytes : undefined;
}

/** passlib's spelling of base64: a dot for the plus, no padding. */
export const dottedBase64 = (text: string): Buffer | undefined => base64(text.replaceAll('.', '+'));

export const same = (a: Buffer, b: Buffer): boolean => a.length === b.length && timingSafeEqual(a, b);

export const sameText = (a: string, b: string): boolean => same(Buffer.from(a), Buffer.from(b));

/** crypt's own base64: little-endian groups of six bits. */
export const itoa64 = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** `count` letters of crypt's base64 for the bytes, the first byte lowest. */
export function cryptLetters(bytes: readonly number[], count: number): string {
  let value = bytes.reduce((sum, byte, index) => sum + byte * 256 ** index, 0);
  let text = '';
  for (let i = 0; i < count; i++) {
    text += itoa64[value % 64];
    value = Math.floor(value / 64);
  }
  return text;
}
