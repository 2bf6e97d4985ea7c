import { createHash, X509Certificate } from 'node:crypto';
import { TLSSocket } from 'node:tls';
import type { Context } from 'koa';

export interface ClientCertificate {
  pem: string;
  /** RFC 8705, section 3.1: base64url SHA-256 of the DER. */
  thumbprint: string;
  /** Whether one of the operator's authorities vouches for it. */
  authorized: boolean;
  certificate: X509Certificate;
}

export type CertificateOf = (ctx: Context) => ClientCertificate | undefined;

/**
 * The client certificate of the request, from our own TLS or from the header in which a trusted proxy passes it on
 * (URL-encoded or one-line PEM, or RFC 9440's `Client-Cert` of base64 DER). Untrusted senders had the header removed.
 *
 * A header's certificate is checked against the authorities here: what a proxy says of its check could be said by its
 * client as well, where it forgets to overwrite it. Only certificates that an authority signed itself are known so.
 * @param options.header its name; none when no proxy ends TLS
 * @param options.authorities PEM
 */
export function createCertificateOf(options: {
  header?: string | undefined;
  authorities?: string | undefined;
}): CertificateOf {
  const { header } = options;
  const authorities = pemBlocks(options.authorities ?? '').map((pem) => new X509Certificate(pem));
  const isVouchedFor = (certificate: X509Certificate): boolean => {
    const now = Date.now();
    return (
      Date.parse(certificate.validFrom) <= now &&
      now <= Date.parse(certificate.validTo) &&
      authorities.some((authority) => certificate.checkIssued(authority) && certificate.verify(authority.publicKey))
    );
  };

  return (ctx) => {
    try {
      const passedOn = header && ctx.get(header);
      if (passedOn) return read(fromHeader(passedOn), isVouchedFor);
      const { socket } = ctx.req;
      if (!(socket instanceof TLSSocket)) return undefined;
      const { raw } = socket.getPeerCertificate();
      return raw ? read(raw, () => socket.authorized) : undefined;
    } catch {
      // A header that holds no certificate proves nothing.
      return undefined;
    }
  };
}

function fromHeader(value: string): Buffer | string {
  const rfc9440 = /^:([A-Za-z0-9+/=]+):$/.exec(value);
  if (rfc9440) return Buffer.from(rfc9440[1]!, 'base64');
  const pem = value.includes('%') ? decodeURIComponent(value) : value;
  const body = pem.replace(/-----(BEGIN|END) CERTIFICATE-----/g, '').replace(/\s+/g, '');
  return Buffer.from(body, 'base64');
}

const pemBlocks = (text: string): string[] =>
  text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];

function read(der: Buffer | string, isVouchedFor: (certificate: X509Certificate) => boolean): ClientCertificate {
  const certificate = new X509Certificate(der);
  return {
    certificate,
    pem: certificate.toString(),
    thumbprint: createHash('sha256').update(certificate.raw).digest('base64url'),
    authorized: isVouchedFor(certificate),
  };
}

/** RFC 8705, section 2.1.2: the one subject property the client registered must match. */
export function subjectMatches({ certificate }: ClientCertificate, property: string, expected: string): boolean {
  if (property === 'tls_client_auth_subject_dn') {
    const parts = (name: string) =>
      name
        .split(/\n|,\s*/)
        .map((part) => part.trim())
        .filter(Boolean);
    const held = parts(certificate.subject);
    const wanted = parts(expected);
    // RFC 4514 writes a name back to front; OpenSSL's order is accepted too.
    return [wanted.join(), [...wanted].reverse().join()].includes(held.join());
  }
  const kinds: Record<string, string> = {
    tls_client_auth_san_dns: 'DNS',
    tls_client_auth_san_email: 'email',
    tls_client_auth_san_ip: 'IP Address',
    tls_client_auth_san_uri: 'URI',
  };
  const names = (certificate.subjectAltName ?? '').split(', ');
  return names.includes(`${kinds[property]}:${expected}`);
}
