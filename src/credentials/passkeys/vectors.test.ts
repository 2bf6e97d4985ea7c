import { createECDH, createHash, createPrivateKey, createPublicKey, hkdfSync } from 'node:crypto';
import { verifyAuthenticationResponse, verifyRegistrationResponse } from '@simplewebauthn/server';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { credentialsRoom } from '../../../test/support/credentials.ts';
import type { Challenge } from './challenges.ts';
import { createPasskeys } from './passkeys.ts';
import { createPasskeyStore } from './store.ts';

/**
 * Test vectors of WebAuthn Level 3, section 16: what they prove of decoding and signatures, and what our own rules make
 * of them. Relying party example.org. These two stand here as the specification prints them; the others are derived from
 * their names as it derives them, and the derivation is held against these.
 */
const vectors = {
  // 16.2: the flags of both lack user verification.
  'none.ES256': {
    verifiedUser: false,
    challenge: '00c30fb78531c464d2b6771dab8d7b603c01162f2fa486bea70f283ae556e130',
    id: 'f91f391db4c9b2fde0ea70189cba3fb63f579ba6122b33ad94ff3ec330084be4',
    clientDataJSON:
      '7b2274797065223a22776562617574686e2e637265617465222c226368616c6c656e6765223a22414d4d507434557878475453746e63647134313759447742466938767049612d7077386f4f755657345441222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73652c22657874726144617461223a22636c69656e74446174614a534f4e206d617920626520657874656e6465642077697468206164646974696f6e616c206669656c647320696e20746865206675747572652c207375636820617320746869733a20426b5165446a646354427258426941774a544c453551227d',
    attestationObject:
      'a363666d74646e6f6e656761747453746d74a068617574684461746158a4bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b559000000008446ccb9ab1db374750b2367ff6f3a1f0020f91f391db4c9b2fde0ea70189cba3fb63f579ba6122b33ad94ff3ec330084be4a5010203262001215820afefa16f97ca9b2d23eb86ccb64098d20db90856062eb249c33a9b672f26df61225820930a56b87a2fca66334b03458abf879717c12cc68ed73290af2e2664796b9220',
    get: {
      challenge: '39c0e7521417ba54d43e8dc95174f423dee9bf3cd804ff6d65c857c9abf4d408',
      authenticatorData: 'bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b51900000000',
      clientDataJSON:
        '7b2274797065223a22776562617574686e2e676574222c226368616c6c656e6765223a224f63446e55685158756c5455506f334a5558543049393770767a7a59425039745a63685879617630314167222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73657d',
      signature:
        '3046022100f50a4e2e4409249c4a853ba361282f09841df4dd4547a13a87780218deffcd380221008480ac0f0b93538174f575bf11a1dd5d78c6e486013f937295ea13653e331e87',
    },
  },
  // 16.3: verified when made, not when used.
  'packed-self.ES256': {
    verifiedUser: true,
    challenge: '7869c2b772d4b58eba9378cf8f29e26cf935aa77df0da89fa99c0bdc0a76f7e5',
    id: '455ef34e2043a87db3d4afeb39bbcb6cc32df9347c789a865ecdca129cbef58c',
    clientDataJSON:
      '7b2274797065223a22776562617574686e2e637265617465222c226368616c6c656e6765223a2265476e4374334c55745936366b336a506a796e6962506b31716e666644616966715a774c33417032392d55222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73652c22657874726144617461223a22636c69656e74446174614a534f4e206d617920626520657874656e6465642077697468206164646974696f6e616c206669656c647320696e20746865206675747572652c207375636820617320746869733a205539685458764b453255526b4d6e625f307859485667227d',
    attestationObject:
      'a363666d74667061636b65646761747453746d74a263616c672663736967584630440220067a20754ab925005dbf378097c92120031581c73228d1fb4f5b881bcd7da98302207fc7b147558c7c0eba3af18bd9d121fa3d3a26d17fe3f220272178f473b6006d68617574684461746158a4bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b55d00000000df850e09db6afbdfab51697791506cfc0020455ef34e2043a87db3d4afeb39bbcb6cc32df9347c789a865ecdca129cbef58ca5010203262001215820eb151c8176b225cc651559fecf07af450fd85802046656b34c18f6cf193843c5225820927b8aa427a2be1b8834d233a2d34f61f13bfd44119c325d5896e183fee484f2',
    get: {
      challenge: '4478a10b1352348dd160c1353b0d469b5db19eb91c27f7dfa6fed39fe26af20b',
      authenticatorData: 'bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b50900000000',
      clientDataJSON:
        '7b2274797065223a22776562617574686e2e676574222c226368616c6c656e6765223a225248696843784e534e493352594d45314f7731476d3132786e726b634a5f6666707637546e2d4a71386773222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73652c22657874726144617461223a22636c69656e74446174614a534f4e206d617920626520657874656e6465642077697468206164646974696f6e616c206669656c647320696e20746865206675747572652c207375636820617320746869733a206754623533727a36456853576f6d58477a696d433151227d',
      signature:
        '304402203310b9431903c401f1be2bdc8d23a4007682dbbddcf846994947b7f465daf84002204e94dd00047b316061b3b99772b7efd95994a83ef584b3b6b825ea3550251b66',
    },
  },
};

const text = (hex: string) => Buffer.from(hex, 'hex').toString('base64url');
const bytes = (hex: string) => Buffer.from(hex, 'hex');

/** What of a vector is not derived: signatures, and of the attestation's certificate its key's name and its own signature. */
interface Seed {
  get: string;
  key?: 'RS256' | 'EdDSA';
  attestation?: { signature: string; ski: string; certificate: string };
  idLength?: number;
  crossOrigin?: boolean;
  topOrigin?: string;
}
const seeds: Record<string, Seed> = {
  // 16.2 and 16.3 once more, from their seeds.
  'none.ES256': { get: vectors['none.ES256'].get.signature },
  'none.ES256.crossOrigin': {
    crossOrigin: true,
    get: '3046022100eb12fcf23b12764c0f122e22371fab92e283879fd798f38ee1841c951b6e40e7022100c76237ff9db77b3c56f30837cda6a09acfa2e915544e609c0733b1184036d1cf',
  },
  'none.ES256.topOrigin': {
    crossOrigin: true,
    topOrigin: 'https://example.com',
    get: '3045022100b5a70c81780d5fcc9a4f2ae9caae99058f8accaf58b91fb59329646c28ac6ffc022012e101c165db3c8e9957f0c54dd6ca9b56bc3bd2f280bd2faa6c1d02c6e5c171',
  },
  'none.ES256.long-credential-id': {
    idLength: 1023,
    get: '304502203ecef83fb12a0cae7841055f9f87103a99fd14b424194bbf06c4623d3ee6e3fd022100d2ace346db262b1374a6b70faa51f518a42ddca13a4125ce6f5052a75bac9fb6',
  },
  'packed.ES256': {
    attestation: {
      signature:
        '304502203f19ec4b229f46ab8c45eff29b904ff10c0390dc40bf1216f04a78f4ceba3425022100fe7041a32759aff05a0f9f26c70a999c7a284451ba89234a1d3483c25e21925b',
      ski: 'a589ba72d060842ab11f74fb246bdedab16f9b9b',
      certificate:
        '304402201726b9d85ecd8a5ed51163722ca3a20886fd9b242a0aa0453d442116075defd502207ef471e530ac87961a88a7f0d0c17b091ffc6b9238d30f79f635b417be5910e7',
    },
    get: '30450220694969d3ee928de6f02ef23a9c644d7d779916451734a94b432542f498a1ebe90221008b0819c824218a97152cd099c55bfb1477b29d900a49a64018314f9bfccda163',
  },
  'packed.RS256': {
    key: 'RS256',
    attestation: {
      signature:
        '30450221008b8c5c6ea8c142c032e0be69e1353d44461c5c9109941cdda951b976eb95b6b302204d52f406c19e254b3ff9589bd18070fb055ac8db12fdd0a6734bea9d7168e900',
      ski: 'fb37b647bccfb9e54d989eaaacc1633868703fb3',
      certificate:
        '3046022100b86bc129d92afca7d9869a39f70f139a305b4073a39eb654d81424bed5757d91022100cf9f7c60cab7c4a7d3e7f0020f281a93d4fd0a9f95121b989f56932a68885fba',
    },
    get: '01063d52d7c39b4d432fc7063c5d93e582bdcb16889cd71f888d67d880ea730a428498d3bc8e1ee11f2b1ecbe6c292b118c55ffaaddefa8cad0a54dd137c51f1eec673f1bb6c4d1789d6826a222b22d0f585fc901fdc933212e579d199b89d672aa44891333e6a1355536025e82b25590256c3538229b55737083b2f6b9377e49e2472f11952f79fdd0da180b5ffd901b4049a8f081bb40711bef76c62aed943571f2d0575304cb549d68d8892f95086a30f93716aee818f8dc06e96c0d5e0ed4cfa9fd8773d90464b68cf140f7986666ff9c9e3302acd0535d60d769f465e2ab57ef8aabc89fccfef7ba32a64154a8b3d26be2298f470b8cc5377dbe3dfd4b0b45f8f01e63bde6cfc76b62771f9b70aa27cf40152cad93aa5acd784fd4b90f676e2ea828d0bf2400aebbaae4153e5838f537f88b6228346782a93a899be66ec77de45b3efcf311da6321c92e6b0cd11bfe653bf3e98cee8e341f02d67dbb6f9c98d9e8178090cfb5b70fbc6d541599ac794ae2f1d4de1286ec8de8c2daf7b1d15c8438e90d924df5c19045220a4c8438c1b979bbe016cf3d0eeec23c3999d4882cc645b776de930756612cdc6dd398160ff02a6',
  },
  'packed.EdDSA': {
    key: 'EdDSA',
    attestation: {
      signature:
        '3046022100d83f60bd80269537583218858aefb03ac57d45fa06e42feaae332d187f62da9f022100a02bd3cb6f7e1d283c93bad1f3f4b5a4c0494463da7fdbf256949116754d1f17',
      ski: '0ae27546bc7eccb1b4b597bd354f0c0b1f1f8f8e',
      certificate:
        '3046022100a0d434ecb5fc3bfd7da5f41904517ad2836249f561bd834ba7a438a8ab7a4ce8022100fac845bb7a02513b58e9f319654dbe49b0f02b95835bac568c71f8a18cdde9ab',
    },
    get: 'f5c59c7e46c34f6f8cc197101ddf9934fa2595f68eb1913a637e8419eb9ba4cfdfc48f85393bc0d40b011f0d6fecb097d6607525713223a0dc0d453993dae00b',
  },
};

/** A vector out of its name: HKDF-SHA-256 of 'WebAuthn test vectors' with a salt that counts what was drawn. */
function derive(name: string, seed: Seed) {
  let drawn = 0;
  const draw = (length: number) =>
    Buffer.from(hkdfSync('sha256', 'WebAuthn test vectors', Buffer.from([drawn++]), name, length));
  const clientData = (type: string, challenge: Buffer) => {
    const extra = draw(1)[0]! & 1 ? draw(16).toString('base64url') : undefined;
    const said = 'clientDataJSON may be extended with additional fields in the future, such as this: ';
    return JSON.stringify({
      ...{ type, challenge: challenge.toString('base64url'), origin: 'https://example.org' },
      crossOrigin: seed.crossOrigin === true,
      ...(seed.topOrigin ? { topOrigin: seed.topOrigin } : {}),
      ...(extra === undefined ? {} : { extraData: `${said}${extra}` }),
    });
  };
  const rpId = createHash('sha256').update('example.org').digest();
  const none = Buffer.alloc(4);

  const challenge = draw(32);
  const secret = seed.key === 'RS256' ? undefined : draw(32);
  const clientDataJSON = clientData('webauthn.create', challenge);
  const [aaguid, id] = [draw(16), draw(seed.idLength ?? 32)];
  const bits = draw(1)[0]!;
  const eligible = (bits & 0x08) !== 0;
  const flags = 0x41 | (bits & 0x04) | (eligible ? 0x08 | (bits & 0x10) : 0);
  const size = Buffer.from([id.length >> 8, id.length & 255]);
  const authData = Buffer.concat([rpId, Buffer.from([flags]), none, aaguid, size, id, coseOf(seed.key, secret)]);
  const length = authData.length > 255 ? [0x59, authData.length >> 8, authData.length & 255] : [0x58, authData.length];
  let statement = bytes('63666d74646e6f6e656761747453746d74a0');
  if (seed.attestation) {
    const { signature, ski, certificate } = seed.attestation;
    const pub = pointOf(draw(32));
    const der = certificateOf({ serial: draw(16), pub, ski: bytes(ski), signature: bytes(certificate) });
    statement = Buffer.concat([
      bytes('63666d74667061636b65646761747453746d74a363616c67266373696758'),
      Buffer.from([signature.length / 2]),
      bytes(signature),
      bytes('637835638159'),
      Buffer.from([der.length >> 8, der.length & 255]),
      der,
    ]);
  }
  const attestationObject = Buffer.concat([
    bytes('a3'),
    statement,
    bytes('686175746844617461'),
    Buffer.from(length),
    authData,
  ]);
  const again = draw(32);
  const clientDataGet = clientData('webauthn.get', again);
  const used = draw(1)[0]!;
  const useFlags = 0x01 | (used & 0x04) | (eligible ? 0x08 | (used & 0x10) : 0);
  const hex = (data: Buffer | string) => Buffer.from(data as never).toString('hex');
  return {
    verifiedUser: (flags & 0x04) !== 0,
    challenge: hex(challenge),
    id: hex(id),
    clientDataJSON: hex(clientDataJSON),
    attestationObject: hex(attestationObject),
    get: {
      challenge: hex(again),
      authenticatorData: hex(Buffer.concat([rpId, Buffer.from([useFlags]), none])),
      clientDataJSON: hex(clientDataGet),
      signature: seed.get,
    },
  };
}

/** The public point of a P-256 scalar, uncompressed. */
function pointOf(scalar: Buffer): Buffer {
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(scalar);
  return curve.getPublicKey();
}

function coseOf(key: Seed['key'], secret: Buffer | undefined): Buffer {
  if (key === 'RS256') {
    // Of the two smallest Mersenne primes 2^p - 1 with p >= 1024.
    const modulus = ((1n << 1279n) - 1n) * ((1n << 2203n) - 1n);
    const n = bytes(modulus.toString(16).padStart(436 * 2, '0'));
    return Buffer.concat([bytes('a401030339010020'), bytes('5901b4'), n, bytes('2143010001')]);
  }
  if (key === 'EdDSA') {
    const pkcs8 = Buffer.concat([bytes('302e020100300506032b657004220420'), secret!]);
    const { x } = createPublicKey(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })).export({
      format: 'jwk',
    });
    return Buffer.concat([bytes('a401010327200621'), bytes('5820'), Buffer.from(x!, 'base64url')]);
  }
  const point = pointOf(secret!);
  return Buffer.concat([
    bytes('a501020326200121'),
    ...[bytes('5820'), point.subarray(1, 33), bytes('225820'), point.subarray(33)],
  ]);
}

/** The attestation's certificate, as the specification makes it. */
function certificateOf(input: { serial: Buffer; pub: Buffer; ski: Buffer; signature: Buffer }): Buffer {
  const tlv = (tag: number, ...parts: Buffer[]) => {
    const content = Buffer.concat(parts);
    const { length: size } = content;
    const head = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 255];
    return Buffer.concat([Buffer.from([tag, ...head]), content]);
  };
  const words = (tag: number, value: string) => tlv(tag, Buffer.from(value));
  const part = (kind: string, tag: number, value: string) =>
    tlv(0x31, tlv(0x30, tlv(0x06, bytes(kind)), words(tag, value)));
  const name = (unit: string) =>
    tlv(
      0x30,
      part('550403', 0x0c, 'WebAuthn test vectors'),
      part('55040a', 0x0c, 'W3C'),
      part('55040b', 0x0c, unit),
      part('550406', 0x13, 'AA'),
    );
  const ecdsa = bytes('300a06082a8648ce3d040302');
  const { serial, pub, ski, signature } = input;
  const number = serial[0]! & 0x80 ? Buffer.concat([Buffer.from([0]), serial]) : serial;
  const extensions = [
    bytes('300c0603551d130101ff04023000'),
    bytes('300e0603551d0f0101ff040403020780'),
    tlv(0x30, bytes('0603551d0e'), tlv(0x04, tlv(0x04, ski))),
    bytes('301f0603551d2304183016801445aff715b0dd786741fee996ebc16547a3931b1e'),
  ];
  const body = tlv(
    0x30,
    tlv(0xa0, tlv(0x02, Buffer.from([2]))),
    tlv(0x02, number),
    ecdsa,
    name('Authenticator Attestation CA'),
    tlv(0x30, words(0x17, '240101000000Z'), words(0x18, '30240101000000Z')),
    name('Authenticator Attestation'),
    tlv(0x30, bytes('301306072a8648ce3d020106082a8648ce3d030107'), tlv(0x03, Buffer.from([0]), pub)),
    tlv(0xa3, tlv(0x30, ...extensions)),
  );
  return tlv(0x30, body, ecdsa, tlv(0x03, Buffer.from([0]), signature));
}

it('is derived as the specification does', () => {
  expect(derive('none.ES256', seeds['none.ES256']!)).toEqual(vectors['none.ES256']);
  // What the specification prints of the first certificate: its length and its serial number.
  const { attestationObject } = derive('packed.ES256', seeds['packed.ES256']!);
  expect(attestationObject).toContain('63783563815902253082022130');
  expect(attestationObject).toContain('0202110088c220f83c8ef1feafe94deae45faad0');
  expect(attestationObject).toContain('0020c9a6f5b3462d02873fea0c56862234f99f081728084e511bb7760201a89054a5');
});

let room: Awaited<ReturnType<typeof credentialsRoom>>;
beforeAll(async () => {
  room = await credentialsRoom();
});
afterAll(() => room.stop());

/** The room's own part, for example.org, with whatever challenge was open. */
const passkeysWith = (open: Challenge) =>
  createPasskeys({
    ...room,
    log: { warn: () => {} } as never,
    fleeting: { take: async () => open } as never,
    tell: async () => {},
    hasOtherWayIn: async () => true,
    mustHaveAnother: async () => false,
    settings: { rpId: 'example.org', rpName: 'x', origins: ['https://example.org'], allowedAaguids: [] },
  });

const all = {
  ...vectors,
  ...Object.fromEntries(Object.entries(seeds).map(([name, seed]) => [name, derive(name, seed)])),
};

it.each(Object.entries(all))('%s of the specification', async (name, vector) => {
  await room.db.query('delete from passkey');
  const { id: userId } = await room.users.create({ state: 'Active' }, { actor: { kind: 'system' } });
  const from = { ip: '203.0.113.5', locale: 'en' };
  const id = text(vector.id);
  const envelope = { id, rawId: id, type: 'public-key' as const, clientExtensionResults: {} };
  const created = {
    ...envelope,
    response: { clientDataJSON: text(vector.clientDataJSON), attestationObject: text(vector.attestationObject) },
  };
  const register = (conditional: boolean) =>
    passkeysWith({ for: 'create', userId, conditional }).register({
      response: JSON.stringify(created),
      scope: 's',
      userId,
      from,
    });
  if (seeds[name]?.crossOrigin) {
    // Right in every way, but made within a page of somebody else's, where ours are never shown.
    await expect(register(true)).rejects.toMatchObject({ code: 'passkey.refused', cause: { message: 'cross-origin' } });
    const verified = await verifyRegistrationResponse({
      response: { ...created, response: { ...created.response } },
      ...{ expectedChallenge: text(vector.challenge), expectedOrigin: 'https://example.org' },
      ...{ expectedRPID: 'example.org', requireUserPresence: false, requireUserVerification: false },
    });
    expect(verified.verified).toBe(true);
    return;
  }
  if (!vector.verifiedUser) await expect(register(false)).rejects.toMatchObject({ code: 'passkey.refused' });
  expect(await register(!vector.verifiedUser)).toMatchObject({ credentialId: id });

  const { challenge, ...parts } = vector.get;
  const response = {
    authenticatorData: text(parts.authenticatorData),
    clientDataJSON: text(parts.clientDataJSON),
    signature: text(parts.signature),
  };
  const stored = (await createPasskeyStore(room).byCredential(id))!;
  const proof = await verifyAuthenticationResponse({
    response: { ...envelope, response },
    expectedChallenge: text(challenge),
    expectedOrigin: 'https://example.org',
    expectedRPID: 'example.org',
    requireUserVerification: false,
    credential: { id, publicKey: stored.publicKey, counter: 0 },
  });
  expect(proof.verified).toBe(true);
  const used = Buffer.from(parts.authenticatorData, 'hex')[32]!;
  if (used & 0x04) return;
  // The signature is right, but nobody made sure of the user: not enough to stand alone.
  const enter = passkeysWith({ for: 'get', userId }).authenticate({
    response: JSON.stringify({ ...envelope, response }),
    scope: 's',
    ip: from.ip,
  });
  await expect(enter).rejects.toMatchObject({
    code: 'passkey.refused',
    cause: { message: expect.stringContaining('could not be verified') },
  });
});
