import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isoCBOR } from '@simplewebauthn/server/helpers';
import { CompactSign } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Certificate, makeCertificate } from '../../../test/support/certificates.ts';
import { credentialsRoom } from '../../../test/support/credentials.ts';
import { silentLog } from '../../platform/index.ts';
import { createPasskeys } from './passkeys.ts';

/** Attestation against metadata of our own making: the FIDO Alliance's form, another authority. */

const dir = mkdtempSync(join(tmpdir(), 'cardea-metadata-'));
const aaguid = '01020304-0506-0708-090a-0b0c0d0e0f10';
const publisher = makeCertificate('Publisher', { authority: true });
const signer = makeCertificate('mds.example', { issuer: publisher });
const maker = makeCertificate('Maker', { authority: true });
const between = makeCertificate('Maker’s factory', { authority: true, issuer: maker });
const subject = 'C=SE, O=Maker, OU=Authenticator Attestation, CN=Key';

let room: Awaited<ReturnType<typeof credentialsRoom>>;
beforeAll(async () => {
  room = await credentialsRoom();
  writeFileSync(join(dir, 'root.pem'), publisher.cert);
});
afterAll(async () => {
  await room.stop();
  rmSync(dir, { recursive: true, force: true });
});

const b64 = (bytes: Uint8Array | string) => Buffer.from(bytes).toString('base64url');
const sha = (data: Uint8Array | string) => createHash('sha256').update(data).digest();
let files = 0;

/** A BLOB in a file. */
async function blob(
  options: {
    by?: Certificate;
    chain?: Certificate[];
    roots?: Certificate[];
    status?: string[];
    tampered?: boolean;
  } = {},
) {
  const { by = signer, chain = [signer], roots = [maker], status = ['FIDO_CERTIFIED'], tampered = false } = options;
  const entry = {
    aaguid,
    metadataStatement: {
      attestationRootCertificates: ['not a certificate', ...roots.map(({ der }) => der.toString('base64'))],
    },
    statusReports: status.map((each) => ({ status: each })),
  };
  const body = { no: 1, nextUpdate: '2030-01-01', entries: [{ aaguid: 'f'.repeat(8) }, entry] };
  const header = { alg: 'ES256', x5c: chain.map(({ der }) => der.toString('base64')) };
  let jwt = await new CompactSign(Buffer.from(JSON.stringify(body))).setProtectedHeader(header).sign(by.privateKey);
  if (tampered) {
    const [head, , signature] = jwt.split('.');
    jwt = [head, b64(JSON.stringify({ ...body, no: 2 })), signature].join('.');
  }
  const file = join(dir, `${++files}.jwt`);
  writeFileSync(file, jwt);
  return file;
}

/** Registers a key whose attestation is signed by such a chain; without one by itself. */
async function register(metadata: string, chain: readonly Certificate[], more: { root?: string } = {}) {
  const { id: userId } = await room.users.create({ state: 'Active' }, { actor: { kind: 'system' } });
  const challenge = randomBytes(32).toString('base64url');
  const passkeys = createPasskeys({
    ...room,
    log: silentLog,
    fleeting: { take: async () => ({ for: 'create', userId }) } as never,
    tell: async () => {},
    hasOtherWayIn: async () => true,
    mustHaveAnother: async () => false,
    settings: {
      ...{ rpId: 'localhost', rpName: 'x', origins: ['http://localhost:3000'], allowedAaguids: [] },
      ...{ metadata, metadataRoot: more.root ?? join(dir, 'root.pem') },
    },
  });
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y } = publicKey.export({ format: 'jwk' });
  const key = new Map<number, number | Uint8Array>([
    [1, 2],
    [3, -7],
    [-1, 1],
    [-2, new Uint8Array(Buffer.from(x!, 'base64url'))],
    [-3, new Uint8Array(Buffer.from(y!, 'base64url'))],
  ]);
  const id = randomBytes(16);
  const authData = Buffer.concat([
    sha('localhost'),
    Buffer.from([0x45, 0, 0, 0, 0]),
    Buffer.from(aaguid.replaceAll('-', ''), 'hex'),
    Buffer.from([0, id.length]),
    id,
    isoCBOR.encode(key as never),
  ]);
  const clientData = JSON.stringify({ type: 'webauthn.create', challenge, origin: 'http://localhost:3000' });
  const signed = Buffer.concat([authData, sha(clientData)]);
  const sig = new Uint8Array(sign('sha256', signed, chain[0]?.privateKey ?? privateKey));
  const statement = new Map<string, unknown>([
    ['alg', -7],
    ['sig', sig],
    ...(chain.length > 0 ? ([['x5c', chain.map(({ der }) => new Uint8Array(der))]] as const) : []),
  ]);
  const attestation = isoCBOR.encode(
    new Map<string, unknown>([
      ['fmt', 'packed'],
      ['attStmt', statement],
      ['authData', new Uint8Array(authData)],
    ]) as never,
  );
  const response = { clientDataJSON: b64(clientData), attestationObject: b64(attestation) };
  return passkeys
    .register({
      response: JSON.stringify({ id: b64(id), rawId: b64(id), type: 'public-key', response }),
      ...{ scope: 's', userId, from: { ip: '::1', locale: 'en' } },
    })
    .then(
      () => 'accepted',
      (error: { code?: string; cause?: Error }) => `${error.code}: ${error.cause?.message}`,
    );
}

describe('attestation against the FIDO metadata', () => {
  const made = (issuer: Certificate) => makeCertificate(subject, { issuer });

  it('accepts what leads to a certificate of its maker, directly or by others', async () => {
    const file = await blob();
    expect(await register(file, [made(maker)])).toBe('accepted');
    expect(await register(file, [made(between), between])).toBe('accepted');
    const own = made(maker);
    expect(await register(await blob({ roots: [own] }), [own])).toBe('accepted');
  });

  it('refuses what has no certificate, leads elsewhere, has run out or is not signed by the next', async () => {
    const file = await blob();
    const stranger = makeCertificate('Maker', { authority: true });
    const elsewhere = 'passkey.kind_refused: a chain that leads elsewhere';
    expect(await register(file, [])).toBe('passkey.kind_refused: no certificate');
    expect(await register(file, [made(stranger)])).toBe(elsewhere);
    expect(await register(file, [made(between)])).toBe(elsewhere);
    expect(await register(file, [made(maker), between])).toBe(elsewhere);
    const old = makeCertificate('Old factory', { authority: true, issuer: maker, days: -1 });
    expect(await register(file, [made(old), old])).toBe(elsewhere);
    const leaf = makeCertificate('A leaf', { issuer: maker });
    expect(await register(file, [made(leaf), leaf])).toBe(elsewhere);
  });

  it('refuses kinds that are not in it or that somebody has had to warn of', async () => {
    expect(await register(await blob({ status: ['FIDO_CERTIFIED', 'REVOKED'] }), [made(maker)])).toContain('REVOKED');
    const file = await blob();
    expect(await register(file, [made(maker)])).toBe('accepted');
    // Replaced, it is read anew.
    const { readFileSync } = await import('node:fs');
    writeFileSync(file, readFileSync(await blob({ status: ['USER_VERIFICATION_BYPASS'] })));
    utimesSync(file, new Date(), new Date(Date.now() + 5_000));
    expect(await register(file, [made(maker)])).toContain('USER_VERIFICATION_BYPASS');
  });

  it('believes no metadata that was altered, signed by another, or under another authority', async () => {
    const stranger = makeCertificate('mds.example');
    const refused = 'passkey.kind_refused: no metadata';
    expect(await register(await blob({ tampered: true }), [made(maker)])).toBe(refused);
    expect(await register(await blob({ by: stranger }), [made(maker)])).toBe(refused);
    expect(await register(await blob({ by: stranger, chain: [stranger] }), [made(maker)])).toBe(refused);
    expect(await register(await blob({ by: stranger, chain: [stranger, publisher] }), [made(maker)])).toBe(refused);
    expect(await register(join(dir, 'nowhere.jwt'), [made(maker)])).toBe(refused);
    // Without a root of one's own it is the FIDO Alliance's that counts.
    expect(await register(await blob(), [made(maker)], { root: '' })).toBe(refused);
  });
});
