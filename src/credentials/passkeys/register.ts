import type { VerifiedRegistrationResponse } from '@simplewebauthn/server';
import { isDuplicate } from '../../platform/db/index.ts';
import { newId, Refusal } from '../../platform/index.ts';
import { byThemselves } from '../by.ts';
import { readCreated } from './answer.ts';
import type { createChallenges } from './challenges.ts';
import type { Metadata } from './metadata.ts';
import { algorithms, type PasskeyPorts, type Passkeys } from './ports.ts';
import { providerOf } from './providers.ts';
import type { PasskeyStore } from './store.ts';

/** Passkeys of one person: more than anybody has devices, fewer than would make a list of them useless. */
const most = 50;

/** Registering a new credential, WebAuthn Level 3, section 7.1. */
export function createRegister(
  ports: PasskeyPorts & { store: PasskeyStore; challenges: ReturnType<typeof createChallenges> },
): Passkeys['register'] {
  const { db, clock, events, log, users, tell, store, challenges, settings } = ports;
  const { metadata: file, metadataRoot: root } = settings;
  let loading: Promise<Metadata> | undefined;

  /** Loaded with the first registration, where it is wanted at all. */
  const metadata = async (): Promise<Metadata | undefined> => {
    if (!file) return undefined;
    loading ??= import('./metadata.ts').then(({ createMetadata }) => createMetadata({ file, root, clock, log }));
    return loading;
  };

  return async ({ response: posted, scope, userId, from }) => {
    const { response, challenge } = readCreated(posted);
    const made = await challenges.take(scope, challenge);
    if (made?.for !== 'create' || made.userId !== userId) throw new Refusal('passkey.expired', { kind: 'invalid' });

    const { verifyRegistrationResponse } = await import('@simplewebauthn/server');
    let verified: VerifiedRegistrationResponse;
    try {
      verified = await verifyRegistrationResponse({
        response,
        expectedChallenge: challenge,
        expectedOrigin: [...settings.origins],
        expectedRPID: settings.rpId,
        requireUserPresence: !made.conditional,
        requireUserVerification: !made.conditional,
        supportedAlgorithmIDs: algorithms,
      });
    } catch (cause) {
      throw new Refusal('passkey.refused', { kind: 'invalid', cause });
    }
    const info = verified.registrationInfo;
    // The id that is kept is the one the authenticator signed for, not the one that stands beside it.
    if (!verified.verified || !info || info.credential.id !== response.id)
      throw new Refusal('passkey.refused', { kind: 'invalid' });
    const { credential, aaguid } = info;
    if (settings.allowedAaguids.length > 0 && !settings.allowedAaguids.includes(aaguid.toLowerCase()))
      throw new Refusal('passkey.kind_refused', { kind: 'invalid' });
    const { attestationObject } = response.response;
    const fault = await (await metadata())?.faultOf({ aaguid, attestationObject });
    if (fault) throw new Refusal('passkey.kind_refused', { kind: 'invalid', cause: new Error(fault) });

    const id = newId();
    try {
      await db.transact(async () => {
        if ((await store.lockOf(userId)).length >= most) throw new Refusal('passkey.too_many', { kind: 'conflict' });
        await store.insert({
          id,
          userId,
          credentialId: credential.id,
          publicKey: credential.publicKey,
          signCount: credential.counter,
          transports: response.response.transports ?? [],
          aaguid,
          syncable: info.credentialDeviceType === 'multiDevice',
          synced: info.credentialBackedUp,
          at: clock.now(),
        });
        await db.query('delete from must_enrol where account_id = $1', [userId]);
        const name = providerOf(aaguid);
        await events.record({
          type: 'credential.added',
          ...byThemselves(userId, from.ip),
          subject: userId,
          data: { kind: 'passkey', credential: id, ...(name ? { name } : {}) },
        });
        const user = await users.byId(userId);
        if (user) await tell(user, 'passkey-added', from);
      });
    } catch (error) {
      // Step 26: a credential belongs to one account, whoever comes second.
      if (isDuplicate(error, 'passkey_credential_id_key')) throw new Refusal('passkey.known', { kind: 'conflict' });
      throw error;
    }
    return (await store.byCredential(credential.id))!;
  };
}
