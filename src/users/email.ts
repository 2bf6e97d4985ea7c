import { domainToASCII } from 'node:url';

/** One at-sign, a dot in the domain, no spaces or control characters, at most 254 octets (RFC 5321, section 4.5.3.1). */
const shape =
  /^[^\s@"(),:;<>[\\\]\p{Cc}\p{Cf}]{1,64}@[^\s@"(),:;<>[\\\]\p{Cc}\p{Cf}]+\.[^\s@"(),:;<>[\\\]\p{Cc}\p{Cf}.]+$/u;

/** Whether the text can be an address at all; only a letter that is answered proves that it is one. */
export function isEmail(text: string): boolean {
  const address = text.trim();
  if (Buffer.byteLength(address) > 254 || !shape.test(address) || address.includes('..')) return false;
  return domainToASCII(address.slice(address.lastIndexOf('@') + 1)) !== '';
}

/**
 * The form under which an address is unique: compatibility-normalised, case-folded, its domain in A-labels (RFC 5891).
 * Look-alikes that normalise together (full-width letters, ligatures, the Kelvin sign) are one address.
 */
export function emailKey(address: string): string {
  const folded = address.trim().normalize('NFKC').toLowerCase().normalize('NFKC');
  const at = folded.lastIndexOf('@');
  return `${folded.slice(0, at)}@${domainToASCII(folded.slice(at + 1)) || folded.slice(at + 1)}`;
}
