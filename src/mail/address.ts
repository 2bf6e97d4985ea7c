import { domainToASCII } from 'node:url';

/**
 * What may stand before and after the at-sign: an atom with dots, or the same in any script (RFC 5321 and 6531). No
 * quoted local parts, no address literals, no spaces, control or invisible characters: nothing that could end a header,
 * or be read as two addresses.
 */
const local = /^[\p{L}\p{N}\p{M}!#$%&'*+/=?^_`{|}~-]+(\.[\p{L}\p{N}\p{M}!#$%&'*+/=?^_`{|}~-]+)*$/u;
const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * The address a letter is sent to, its domain in A-labels where the local part is ASCII, so that any server takes it.
 * @returns undefined for what is no address
 */
export function parseAddress(text: string): string | undefined {
  const address = text.trim().normalize('NFC');
  const at = address.lastIndexOf('@');
  const name = address.slice(0, Math.max(at, 0));
  const domain = domainToASCII(address.slice(at + 1));
  if (!local.test(name) || Buffer.byteLength(name) > 64) return undefined;
  if (!domain || domain.length > 253 || !domain.split('.').every((part) => label.test(part))) return undefined;
  if (Buffer.byteLength(`${name}@${domain}`) > 254) return undefined;
  return `${name}@${domain}`;
}

/** One spelling for all spellings of an address: case and Unicode form do not count. */
export const addressKey = (address: string): string => {
  const folded = address.trim().normalize('NFKC').toLowerCase();
  const at = folded.lastIndexOf('@');
  // A telephone number, in development's mailbox.
  if (at < 0) return folded;
  return `${folded.slice(0, at + 1)}${domainToASCII(folded.slice(at + 1))}`;
};

/** Whose letters are counted together: nor does what follows a plus, which lands with the same person. */
export const recipientKey = (address: string): string => addressKey(address).replace(/(?<=.)\+[^@]*(?=@)/u, '');
