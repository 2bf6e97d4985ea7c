import { isId, Refusal } from '../../platform/index.ts';
import { byThemselves } from '../by.ts';
import { createAuthenticate } from './authenticate.ts';
import { ceremonyLife, createChallenges } from './challenges.ts';
import { algorithms, type PasskeyPorts, type Passkeys, userHandleOf } from './ports.ts';
import { createRegister } from './register.ts';
import { createPasskeyStore } from './store.ts';

const longestName = 60;

/** Some 300 modules, a tenth of a start: loaded when somebody first uses a passkey. */
const webauthn = () => import('@simplewebauthn/server');

export function createPasskeys(ports: PasskeyPorts): Passkeys {
  const { db, events, users, settings, tell, hasOtherWayIn, mustHaveAnother } = ports;
  const store = createPasskeyStore(ports);
  const challenges = createChallenges(ports);
  const parts = { ...ports, store, challenges };
  const timeout = ceremonyLife * 1000;
  const missing = () => new Refusal('passkey.missing', { kind: 'missing' });

  return {
    rpId: settings.rpId,
    origins: settings.origins,

    async registrationOptions({ user, scope, conditional }) {
      const known = await store.listOf(user.id);
      const { generateRegistrationOptions } = await webauthn();
      return generateRegistrationOptions({
        rpName: settings.rpName,
        rpID: settings.rpId,
        userID: userHandleOf(user.id),
        userName: user.email ?? user.id,
        userDisplayName: user.displayName(),
        challenge: Buffer.from(
          await challenges.make(scope, { for: 'create', userId: user.id, conditional }),
          'base64url',
        ) as Uint8Array<ArrayBuffer>,
        timeout,
        // Attestation is asked for only where it decides something: it tells the make of a person's device.
        attestationType: settings.allowedAaguids.length > 0 || settings.metadata ? 'direct' : 'none',
        excludeCredentials: known.map(({ credentialId, transports }) => ({
          id: credentialId,
          transports: [...transports],
        })),
        // Nobody is asked during a conditional create, so nobody can be verified; to sign in they have to be.
        authenticatorSelection: { residentKey: 'required', userVerification: conditional ? 'preferred' : 'required' },
        supportedAlgorithmIDs: algorithms,
      });
    },
    register: createRegister(parts),

    async authenticationOptions({ scope, userId }) {
      const own = userId ? await store.listOf(userId) : [];
      const { generateAuthenticationOptions } = await webauthn();
      return generateAuthenticationOptions({
        rpID: settings.rpId,
        challenge: Buffer.from(
          await challenges.make(scope, { for: 'get', userId }),
          'base64url',
        ) as Uint8Array<ArrayBuffer>,
        timeout,
        allowCredentials: own.map(({ credentialId, transports }) => ({
          id: credentialId,
          transports: [...transports],
        })),
        userVerification: 'required',
      });
    },
    authenticate: createAuthenticate(parts),

    list: (userId) => store.listOf(userId),
    has: async (userId) => (await store.listOf(userId)).length > 0,

    async rename({ userId, id, name, from }) {
      const given = name.normalize('NFC').replace(/\s+/g, ' ').trim();
      if (!given || given.length > longestName || /\p{Cc}/u.test(given))
        throw new Refusal('passkey.name_refused', { kind: 'invalid', details: { max: longestName } });
      await db.transact(async () => {
        if (!isId(id) || !(await store.rename(id, userId, given))) throw missing();
        await events.record({
          type: 'credential.changed',
          ...byThemselves(userId, from.ip),
          subject: userId,
          data: { kind: 'passkey', credential: id },
        });
      });
    },

    async remove({ userId, id, from }) {
      await db.transact(async () => {
        const own = await store.lockOf(userId);
        if (!own.some((passkey) => passkey.id === id)) throw missing();
        if (own.length === 1) {
          if (!(await hasOtherWayIn(userId))) throw new Refusal('passkey.last', { kind: 'conflict' });
          if (await mustHaveAnother(userId)) throw new Refusal('passkey.required', { kind: 'conflict' });
        }
        await store.remove(id);
        await events.record({
          type: 'credential.removed',
          ...byThemselves(userId, from.ip),
          subject: userId,
          data: { kind: 'passkey', credential: id },
        });
        const user = await users.byId(userId);
        if (user) await tell(user, 'passkey-removed', from);
      });
    },
  };
}
