import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { SettingsService } from '@simplewebauthn/server';
import { decodeAttestationObject } from '@simplewebauthn/server/helpers';
import { compactVerify } from 'jose';
import { z } from 'zod';
import type { Clock, Log } from '../../platform/index.ts';

/**
 * The manufacturers' word for a kind of authenticator: a BLOB of the FIDO Metadata Service (version 3), read from a file that
 * the operator downloads. Nobody is asked, neither for the BLOB nor for lists of revoked certificates.
 */
export interface Metadata {
  /**
   * Whether an attestation is vouched for: by a certificate that leads to one the manufacturer has published for this kind,
   * and of a kind nobody has had to warn of.
   * @param attestationObject as the browser answered, its signature already checked; base64url
   * @returns why not; undefined when it is
   */
  faultOf(input: { aaguid: string; attestationObject: string }): Promise<string | undefined>;
}

const entry = z.object({
  aaguid: z.string().optional(),
  metadataStatement: z.object({ attestationRootCertificates: z.array(z.string()) }).optional(),
  statusReports: z.array(z.object({ status: z.string() })).default([]),
});
const blob = z.object({ nextUpdate: z.string(), entries: z.array(entry) });

/** FIDO Metadata Service, section 3.1.4: with any of these, keys of the kind may be another's. */
const alarming = new Set([
  'REVOKED',
  'USER_VERIFICATION_BYPASS',
  'ATTESTATION_KEY_COMPROMISE',
  'USER_KEY_REMOTE_COMPROMISE',
  'USER_KEY_PHYSICAL_COMPROMISE',
]);

/** Who signs the BLOB, unless the operator has a root of their own: others have certificates of the same authority. */
const publisher = 'mds.fidoalliance.org';
const longestChain = 6;

interface Kind {
  roots: readonly X509Certificate[];
  statuses: readonly string[];
}

const certificate = (base64: string) => new X509Certificate(Buffer.from(base64, 'base64'));

/** @param options.root PEM of the authority the BLOB is signed under; that of the FIDO Alliance without one */
export function createMetadata(options: { file: string; root?: string | undefined; clock: Clock; log: Log }): Metadata {
  const { file, root, clock, log } = options;
  let read: { changed: number; kinds: Promise<Map<string, Kind>> } | undefined;

  const isValid = ({ validFromDate, validToDate }: X509Certificate): boolean =>
    validFromDate <= clock.now() && clock.now() <= validToDate;
  const issuedBy = (lower: X509Certificate, upper: X509Certificate): boolean =>
    upper.ca && lower.checkIssued(upper) && lower.verify(upper.publicKey);

  /** RFC 5280, section 6, as far as chains of attestations use it: each link signed by the next, all of them valid now. */
  const leadsTo = (chain: readonly X509Certificate[], roots: readonly X509Certificate[]): boolean => {
    const top = chain.at(-1);
    if (!top || chain.length > longestChain || !chain.every(isValid)) return false;
    if (!chain.every((each, at) => at === 0 || issuedBy(chain[at - 1]!, each))) return false;
    return roots.some((each) => each.fingerprint256 === top.fingerprint256 || (isValid(each) && issuedBy(top, each)));
  };

  const load = async (): Promise<Map<string, Kind>> => {
    const jwt = (await readFile(file, 'utf8')).trim();
    const { x5c } = z
      .object({ x5c: z.array(z.string()).min(1) })
      .parse(JSON.parse(Buffer.from(jwt.slice(0, jwt.indexOf('.')), 'base64url').toString()));
    const chain = x5c.map(certificate);
    const roots = root
      ? [new X509Certificate(await readFile(root))]
      : SettingsService.getRootCertificates({ identifier: 'mds' }).map((pem) => new X509Certificate(pem));
    if (!leadsTo(chain, roots)) throw new Error('the certificates of the metadata lead to no authority that is known');
    if (!root && !chain[0]!.checkHost(publisher)) throw new Error(`the metadata is not signed by ${publisher}`);
    const algorithms = ['RS256', 'ES256', 'PS256', 'ES384'];
    const { payload } = await compactVerify(jwt, chain[0]!.publicKey, { algorithms });
    const { nextUpdate, entries } = blob.parse(JSON.parse(Buffer.from(payload).toString()));
    if (new Date(nextUpdate) < clock.now()) log.warn({ file, nextUpdate }, 'there is newer metadata of authenticators');
    return new Map(
      entries.flatMap(({ aaguid, metadataStatement, statusReports }) =>
        aaguid && metadataStatement
          ? [
              [
                aaguid.toLowerCase(),
                {
                  roots: metadataStatement.attestationRootCertificates.flatMap(readable),
                  statuses: statusReports.map(({ status }) => status),
                },
              ] as const,
            ]
          : [],
      ),
    );
  };

  /** Read again when it was replaced; one that cannot be believed stops nobody's sign-in but vouches for nothing. */
  const kinds = async (): Promise<Map<string, Kind>> => {
    const changed = (await stat(file)).mtimeMs;
    if (read?.changed !== changed) read = { changed, kinds: load() };
    return read.kinds;
  };

  return {
    async faultOf({ aaguid, attestationObject }) {
      let kind: Kind | undefined;
      try {
        kind = (await kinds()).get(aaguid.toLowerCase());
      } catch (error) {
        log.error({ err: error, file }, 'the metadata of authenticators cannot be used: none is accepted');
        return 'no metadata';
      }
      if (!kind) return 'not in the metadata';
      const warned = kind.statuses.find((status) => alarming.has(status));
      if (warned) return warned;
      const statement = decodeAttestationObject(new Uint8Array(Buffer.from(attestationObject, 'base64url'))).get(
        'attStmt',
      );
      const x5c = statement.get('x5c');
      if (!x5c || x5c.length === 0) return 'no certificate';
      try {
        const chain = x5c.map((der) => new X509Certificate(Buffer.from(der)));
        return leadsTo(chain, kind.roots) ? undefined : 'a chain that leads elsewhere';
      } catch {
        return 'no certificate';
      }
    },
  };
}

/** Some manufacturers publish certificates that OpenSSL does not read: those vouch for nothing. */
function readable(base64: string): X509Certificate[] {
  try {
    return [certificate(base64.replace(/\s/g, ''))];
  } catch {
    return [];
  }
}
