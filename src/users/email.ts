import { domainToASCII } from 'node:url';

/**
 * One at-sign, a dot in the domain, no spaces, control or invisible characters, at most 254 octets (RFC 5321, section
 * 4.5.3.1). Domains are looked up without what is invisible: one address would have any number of spellings.
 */
const shape =
  /^[^\s@"(),:;<>[\\\]\p{Cc}\p{Cf}\p{DI}]{1,64}@[^\s@"(),:;<>[\\\]\p{Cc}\p{Cf}\p{DI}]+\.[^\s@"(),:;<>[\\\]\p{Cc}\p{Cf}\p{DI}.]+$/u;

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
