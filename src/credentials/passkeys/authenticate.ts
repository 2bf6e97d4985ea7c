import type { VerifiedAuthenticationResponse } from '@simplewebauthn/server';
import { addressKey, exceeded, Refusal } from '../../platform/index.ts';
import { byThemselves } from '../by.ts';
import { readSigned } from './answer.ts';
import type { createChallenges } from './challenges.ts';
import { type PasskeyPorts, type Passkeys, userHandleOf } from './ports.ts';
import type { PasskeyStore, StoredPasskey } from './store.ts';

/**
 * What a passkey proves, as RFC 8176 names it: possession of a key that cannot leave its hardware (`hwk`) or of one that
 * may be on several devices (`swk`), that the person was there (`user`), and, as user verification is required, that a
 * PIN or a finger unlocked it: two factors (`mfa`). Which of the two it was, authenticators do not say.
 */
const methodsOf = ({ syncable }: Pick<StoredPasskey, 'syncable'>) => [syncable ? 'swk' : 'hwk', 'user'];

/** Verifying an assertion, WebAuthn Level 3, section 7.2. */
export function createAuthenticate(
  ports: PasskeyPorts & { store: PasskeyStore; challenges: ReturnType<typeof createChallenges> },
): Passkeys['authenticate'] {
  const { db, clock, events, limits, budgets, log, users, tell, store, challenges, settings } = ports;

  const verify = async (posted: string, scope: string) => {
    const { response, challenge } = readSigned(posted);
    const made = await challenges.take(scope, challenge);
    if (made?.for !== 'get') throw new Refusal('passkey.expired', { kind: 'invalid' });

    const passkey = await store.byCredential(response.id);
    if (!passkey) throw new Refusal('passkey.unknown', { kind: 'invalid', details: { credential: response.id } });
    const refused = (cause?: unknown) => new Refusal('passkey.refused', { kind: 'invalid', cause });
    if (made.userId !== undefined && made.userId !== passkey.userId) throw refused(new Error('of another person'));
    // Step 6: who was not named beforehand names themselves.
    const { userHandle } = response.response;
    if (!userHandle ? made.userId === undefined : userHandle !== handleText(passkey.userId))
      throw refused(new Error('not the owner’s user handle'));

    const { verifyAuthenticationResponse } = await import('@simplewebauthn/server');
    let verified: VerifiedAuthenticationResponse;
    try {
      verified = await verifyAuthenticationResponse({
        response,
        expectedChallenge: challenge,
        expectedOrigin: [...settings.origins],
        expectedRPID: settings.rpId,
        requireUserVerification: true,
        // The library would refuse a counter that went backwards before it has looked at the signature: anybody could
        // then cast suspicion. It is compared below, once the signature is known to be right.
        credential: { id: passkey.credentialId, publicKey: passkey.publicKey, counter: 0 },
      });
    } catch (cause) {
      throw refused(cause);
    }
    if (!verified.verified) throw refused(new Error('wrong signature'));
    return { passkey, info: verified.authenticationInfo };
  };

  return async ({ response, scope, ip, userAgent }) => {
    const counted = await limits.take(budgets.signinAddress, addressKey(ip));
    if (!counted.allowed) {
      await limits.giveBack(budgets.signinAddress, addressKey(ip));
      throw exceeded(budgets.signinAddress, counted.retryAfter);
    }
    const { passkey, info } = await verify(response, scope);
    await limits.giveBack(budgets.signinAddress, addressKey(ip));

    const { userId, id } = passkey;
    await db.transact(async () => {
      // Read again under a lock: two sign-ins at once must not each think the other a copy.
      const before = (await store.lock(id))?.signCount;
      if (before === undefined) throw new Refusal('passkey.refused', { kind: 'invalid' });
      const by = byThemselves(userId, ip);
      // Step 22. A counter that goes backwards tells of a copy, or of a device restored from a backup: it is written
      // down and shown to the owner, who alone can tell which; refusing would let a thief lock the owner out.
      const suspicious = (info.newCounter > 0 || before > 0) && info.newCounter <= before;
      await store.used(id, {
        at: clock.now(),
        signCount: info.newCounter,
        synced: info.credentialBackedUp,
        suspectedAt: suspicious ? clock.now() : undefined,
      });
      if (suspicious) {
        log.warn({ user: userId, passkey: id }, 'the counter of a passkey went backwards: there may be a copy of it');
        await events.record({
          type: 'credential.copy_suspected',
          ...by,
          subject: userId,
          data: { kind: 'passkey', credential: id, counted: info.newCounter, before },
        });
        // Once: an authenticator that does not count would have a letter sent at each sign-in.
        const user = passkey.copySuspectedAt ? undefined : await users.byId(userId);
        if (user) await tell(user, 'passkey-copied', { ip, userAgent, locale: 'en' });
      }
      await events.record({
        type: 'credential.used',
        ...by,
        subject: userId,
        data: { kind: 'passkey', credential: id },
      });
    });
    return { userId, passkey, methods: methodsOf(passkey) };
  };
}

const handleText = (userId: string): string => Buffer.from(userHandleOf(userId)).toString('base64url');
