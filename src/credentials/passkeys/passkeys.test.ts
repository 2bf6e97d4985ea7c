import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { credentialsRoom } from '../../../test/support/credentials.ts';
import { newId, type Refusal } from '../../platform/index.ts';
import { createPasskeys } from './passkeys.ts';
import { userHandleOf } from './ports.ts';

const origin = 'http://localhost:3000';
const from = { ip: '203.0.113.5', locale: 'en' };
let room: Awaited<ReturnType<typeof credentialsRoom>>;
beforeAll(async () => {
  room = await credentialsRoom();
});
afterAll(() => room.stop());

const b64 = (bytes: Uint8Array | string) => Buffer.from(bytes).toString('base64url');
const sha = (data: Uint8Array | string) => createHash('sha256').update(data).digest();

/** An authenticator of one key (ES256), that does as it is told. */
function authenticator() {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const id = randomBytes(16);
  const flags = (verified: boolean) => 0x01 | (verified ? 0x04 : 0) | 0x08 | 0x10;
  const head = (rpId: string, bits: number, count: number) => {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(count);
    return Buffer.concat([sha(rpId), Buffer.from([bits]), counter]);
  };
  const client = (type: string, challenge: string, from: string) =>
    JSON.stringify({ type, challenge, origin: from, crossOrigin: false });
  return {
    id: b64(id),
    create(challenge: string, { at = origin, rpId = 'localhost', verified = true } = {}) {
      const authData = Buffer.concat([
        head(rpId, flags(verified) | 0x40, 0),
        Buffer.alloc(16),
        Buffer.from([0, id.length]),
        id,
        coseOf(publicKey),
      ]);
      const attestationObject = Buffer.concat([
        // {fmt: "none", attStmt: {}, authData: …} in CBOR
        Buffer.from('a363666d74646e6f6e656761747453746d74a068617574684461746159', 'hex'),
        Buffer.from([authData.length >> 8, authData.length & 255]),
        authData,
      ]);
      const response = {
        clientDataJSON: b64(client('webauthn.create', challenge, at)),
        attestationObject: b64(attestationObject),
        transports: ['internal', 'hybrid'],
      };
      return JSON.stringify({ id: b64(id), rawId: b64(id), type: 'public-key', response });
    },
    get(
      challenge: string,
      userId: string,
      { at = origin, rpId = 'localhost', verified = true, count = 0, key = privateKey as KeyObject } = {},
    ) {
      const authData = head(rpId, flags(verified), count);
      const clientData = client('webauthn.get', challenge, at);
      const response = {
        clientDataJSON: b64(clientData),
        authenticatorData: b64(authData),
        signature: b64(sign('sha256', Buffer.concat([authData, sha(clientData)]), key)),
        userHandle: b64(userHandleOf(userId)),
      };
      return JSON.stringify({ id: b64(id), rawId: b64(id), type: 'public-key', response });
    },
  };
}

/** An EC2 key of P-256 for ES256 (RFC 9053, section 7.1.1). */
function coseOf(key: KeyObject): Buffer {
  const { x, y } = key.export({ format: 'jwk' }) as { x: string; y: string };
  const coordinate = (text: string) => Buffer.from(text, 'base64url');
  return Buffer.concat([
    Buffer.from('a5010203262001215820', 'hex'),
    coordinate(x),
    Buffer.from('225820', 'hex'),
    coordinate(y),
  ]);
}

async function person() {
  const email = `${newId()}@example.com`;
  const user = await room.users.create({ email, emailVerified: true, state: 'Active' }, { actor: { kind: 'system' } });
  const device = authenticator();
  const { challenge } = await room.passkeys.registrationOptions({ user, scope: 'session' });
  const response = device.create(challenge);
  const passkey = await room.passkeys.register({ response, scope: 'session', userId: user.id, from });
  return { user, device, passkey, response };
}

const challengeFor = async (scope: string) => (await room.passkeys.authenticationOptions({ scope })).challenge;
const enter = (response: string, scope = 'signin 1') => room.passkeys.authenticate({ response, scope, ip: from.ip });
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'accepted',
    (error: Refusal) => error.code,
  );

it('signs in whoever made it, and says what it proves', async () => {
  const { user, device, passkey } = await person();
  const { userId, methods } = await enter(device.get(await challengeFor('signin 1'), user.id));
  expect([userId, methods]).toEqual([user.id, ['swk', 'user']]);
  const [kept] = await room.passkeys.list(user.id);
  expect(kept).toMatchObject({ id: passkey.id, synced: true, transports: ['internal', 'hybrid'] });
  expect(kept!.lastUsedAt).toBeInstanceOf(Date);
  expect(room.letters.filter(({ to }) => to === user.email).map(({ letter }) => letter)).toEqual(['security-notice']);
});

it('a challenge counts once, in its own attempt, and not when it was made up', async () => {
  const { user, device } = await person();
  const challenge = await challengeFor('signin 1');
  const answer = device.get(challenge, user.id);
  expect(await codeOf(enter(answer, 'signin 2'))).toBe('passkey.expired');
  expect(await codeOf(enter(answer))).toBe('accepted');
  expect(await codeOf(enter(answer))).toBe('passkey.expired');
  expect(await codeOf(enter(device.get(b64(randomBytes(32)), user.id)))).toBe('passkey.expired');
});

it('of 64 at once with one answer, one gets in', async () => {
  const { user, device } = await person();
  const answer = device.get(await challengeFor('signin 1'), user.id);
  const codes = await Promise.all(Array.from({ length: 64 }, () => codeOf(enter(answer))));
  expect(codes.filter((code) => code === 'accepted')).toHaveLength(1);
});

it('another origin, another relying party, an unverified user, a wrong key and another person’s handle are refused', async () => {
  const { user, device } = await person();
  const { user: other } = await person();
  const attempt = async (more: object, userId = user.id) =>
    codeOf(enter(device.get(await challengeFor('signin 1'), userId, more)));
  expect(await attempt({ at: 'https://evil.example' })).toBe('passkey.refused');
  expect(await attempt({ rpId: 'evil.example' })).toBe('passkey.refused');
  expect(await attempt({ verified: false })).toBe('passkey.refused');
  expect(await attempt({ key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey })).toBe('passkey.refused');
  expect(await attempt({}, other.id)).toBe('passkey.refused');
  expect(await codeOf(enter('{"id":1}'))).toBe('passkey.refused');
});

it('an unknown one is named, so that its keeper can be told; where one person is asked for, another’s is refused', async () => {
  const { user } = await person();
  const { user: other, device } = await person();
  const stranger = authenticator();
  const unknown = enter(stranger.get(await challengeFor('signin 1'), user.id));
  await expect(unknown).rejects.toMatchObject({ code: 'passkey.unknown', details: { credential: stranger.id } });
  const { challenge, allowCredentials } = await room.passkeys.authenticationOptions({ scope: 's', userId: user.id });
  expect(allowCredentials).toHaveLength(1);
  expect(await codeOf(enter(device.get(challenge, other.id), 's'))).toBe('passkey.refused');
});

it('a registration answers its own challenge, at its own origin, for its own person, with a key nobody has', async () => {
  const { user, response } = await person();
  const { user: other, device } = await person();
  const make = async (answer: (challenge: string) => string, scope = 'session') => {
    const { challenge } = await room.passkeys.registrationOptions({ user, scope: 'session' });
    return codeOf(room.passkeys.register({ response: answer(challenge), scope, userId: user.id, from }));
  };
  const fresh = authenticator();
  expect(await make(() => response)).toBe('passkey.expired');
  expect(await make((challenge) => fresh.create(challenge), 'another')).toBe('passkey.expired');
  expect(await make((challenge) => fresh.create(challenge, { at: 'https://evil.example' }))).toBe('passkey.refused');
  expect(await make((challenge) => fresh.create(challenge, { rpId: 'evil.example' }))).toBe('passkey.refused');
  expect(await make((challenge) => fresh.create(challenge, { verified: false }))).toBe('passkey.refused');
  expect(await make((challenge) => device.create(challenge))).toBe('passkey.known');
  const { challenge } = await room.passkeys.registrationOptions({ user: other, scope: 'session' });
  expect(await make(() => fresh.create(challenge))).toBe('passkey.expired');
  expect(await room.passkeys.list(user.id)).toHaveLength(1);
});

it('a counter that goes backwards is written down, and only with a right signature', async () => {
  const { user, device, passkey } = await person();
  const use = async (count: number, more: object = {}) =>
    codeOf(enter(device.get(await challengeFor('signin 1'), user.id, { count, ...more })));
  expect(await use(7)).toBe('accepted');
  const forged = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  expect(await use(3, { key: forged })).toBe('passkey.refused');
  expect((await room.passkeys.list(user.id))[0]!.copySuspectedAt).toBeUndefined();
  expect(await use(5)).toBe('accepted');
  expect((await room.passkeys.list(user.id))[0]!.copySuspectedAt).toBeInstanceOf(Date);
  const told = await room.events.history({ subject: user.id });
  expect(told.find(({ type }) => type === 'credential.copy_suspected')?.data).toMatchObject({
    credential: passkey.id,
    counted: 5,
    before: 7,
  });
  // The owner is told, once: one that does not count would have a letter sent at each sign-in.
  const letters = () => room.letters.filter(({ params }) => (params as { what?: string }).what === 'passkey-copied');
  const sent = letters().length;
  expect(letters().at(-1)).toMatchObject({ to: user.email, letter: 'security-notice' });
  expect(await use(5)).toBe('accepted');
  expect(letters()).toHaveLength(sent);
});

it('the last way in stays, also when two are removed at once', async () => {
  const { user, passkey } = await person();
  const remove = (id: string) => codeOf(room.passkeys.remove({ userId: user.id, id, from }));
  expect(await remove(passkey.id)).toBe('passkey.last');
  const second = authenticator();
  const { challenge, excludeCredentials } = await room.passkeys.registrationOptions({ user, scope: 'session' });
  expect(excludeCredentials?.map(({ id }) => id)).toEqual([passkey.credentialId]);
  const response = second.create(challenge);
  const { id } = await room.passkeys.register({ response, scope: 'session', userId: user.id, from });
  expect((await Promise.all([remove(passkey.id), remove(id)])).sort()).toEqual(['accepted', 'passkey.last']);
  const { user: stranger } = await person();
  expect(await codeOf(room.passkeys.remove({ userId: stranger.id, id, from }))).toBe('passkey.missing');
});

it('stays where it is the second factor of who must have two', async () => {
  const { user, passkey } = await person();
  await room.passwords.set(user.id, 'seven quiet otters read maps');
  const remove = (mustHaveAnother: boolean) =>
    codeOf(
      createPasskeys({
        ...room,
        log: { warn: () => {} } as never,
        fleeting: {} as never,
        tell: async () => {},
        hasOtherWayIn: async () => true,
        mustHaveAnother: async () => mustHaveAnother,
        settings: { rpId: 'localhost', rpName: 'x', origins: [], allowedAaguids: [] },
      }).remove({ userId: user.id, id: passkey.id, from }),
    );
  expect([await remove(true), await remove(false)]).toEqual(['passkey.required', 'accepted']);
});

it('is called what its owner calls it', async () => {
  const { user, passkey } = await person();
  const rename = (name: string, id = passkey.id) => codeOf(room.passkeys.rename({ userId: user.id, id, name, from }));
  expect(await rename('  My   phone ')).toBe('accepted');
  expect((await room.passkeys.list(user.id))[0]!.name).toBe('My phone');
  expect(await rename(' ')).toBe('passkey.name_refused');
  expect(await rename('Mine', newId())).toBe('passkey.missing');
});

it('other origins of the house and an allow-list of kinds are the operator’s', async () => {
  const { user } = await person();
  const open = { for: 'create' as const, userId: user.id };
  const register = (settings: { origins: string[]; allowedAaguids: string[] }) => {
    const passkeys = createPasskeys({
      ...room,
      log: { warn: () => {} } as never,
      fleeting: { take: async () => open } as never,
      tell: async () => {},
      hasOtherWayIn: async () => true,
      mustHaveAnother: async () => false,
      settings: { rpId: 'localhost', rpName: 'x', ...settings },
    });
    const response = authenticator().create('any', { at: 'https://shop.example' });
    return codeOf(passkeys.register({ response, scope: 's', userId: user.id, from }));
  };
  const [none, other] = ['00000000-0000-0000-0000-000000000000', 'fbfc3007-154e-4ecc-8c0b-6e020557d7bd'];
  const origins = [origin, 'https://shop.example'];
  expect(await register({ origins: [origin], allowedAaguids: [] })).toBe('passkey.refused');
  expect(await register({ origins, allowedAaguids: [] })).toBe('accepted');
  expect(await register({ origins, allowedAaguids: [other] })).toBe('passkey.kind_refused');
  expect(await register({ origins, allowedAaguids: [none] })).toBe('accepted');
});
