import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

// X.509 certificates for tests, without a program that the machine may lack. DER as in RFC 5280, keys of P-256.

export interface Certificate {
  cert: string;
  key: string;
  der: Buffer;
  /** RFC 8705, section 3.1. */
  thumbprint: string;
  privateKey: KeyObject;
  publicKey: KeyObject;
  name: string;
}

const tlv = (tag: number, ...parts: Buffer[]): Buffer => {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
};
const sequence = (...parts: Buffer[]) => tlv(0x30, ...parts);
const oid = (...bytes: number[]) => tlv(0x06, Buffer.from(bytes));
const time = (date: Date) => tlv(0x18, Buffer.from(`${date.toISOString().replace(/[-:T]|\.\d+/g, '')}`));
const part = (kind: number, text: string) =>
  tlv(0x31, sequence(oid(0x55, 4, kind), tlv(kind === 6 ? 0x13 : 0x0c, Buffer.from(text))));
/** `C=SE, O=Maker, OU=Unit, CN=name`, or the common name alone. */
const nameOf = (name: string) => {
  const kinds: Record<string, number> = { C: 6, O: 10, OU: 11, CN: 3 };
  if (!name.includes('=')) return sequence(part(3, name));
  return sequence(
    ...name.split(', ').map((each) => {
      const [kind = 'CN', text = ''] = each.split('=');
      return part(kinds[kind]!, text);
    }),
  );
};
const extension = (id: number, value: Buffer, critical = false) =>
  sequence(oid(0x55, 0x1d, id), ...(critical ? [tlv(0x01, Buffer.from([255]))] : []), tlv(0x04, value));
const ecdsaWithSha256 = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2));

/** @param options.issuer an authority made here; without one the certificate signs itself */
export function makeCertificate(
  name: string,
  options: { issuer?: Certificate; authority?: boolean; dns?: string; days?: number } = {},
): Certificate {
  const { issuer, authority = false, dns, days = 1 } = options;
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const now = Date.now();
  const extensions = [
    ...(authority ? [extension(0x13, sequence(tlv(0x01, Buffer.from([255]))), true)] : []),
    ...(dns ? [extension(0x11, sequence(tlv(0x82, Buffer.from(dns))))] : []),
  ];
  const body = sequence(
    tlv(0xa0, tlv(0x02, Buffer.from([2]))),
    tlv(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaWithSha256,
    nameOf(issuer?.name ?? name),
    sequence(time(new Date(now - 2 * 86_400_000)), time(new Date(now + days * 86_400_000))),
    nameOf(name),
    publicKey.export({ format: 'der', type: 'spki' }),
    ...(extensions.length > 0 ? [tlv(0xa3, sequence(...extensions))] : []),
  );
  const signature = sign('sha256', body, issuer?.privateKey ?? privateKey);
  const der = sequence(body, ecdsaWithSha256, tlv(0x03, Buffer.from([0]), signature));
  return {
    name,
    der,
    privateKey,
    publicKey,
    cert: `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`,
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    thumbprint: createHash('sha256').update(der).digest('base64url'),
  };
}
