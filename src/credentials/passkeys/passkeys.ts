import {
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type PublicKeyCredentialCreationOptionsJSON,
  type PublicKeyCredentialRequestOptionsJSON,
} from '@simplewebauthn/server';
import type { Events } from '../../events/index.ts';
import type { Db } from '../../platform/db/index.ts';
import { type Clock, type Limits, type Log, Refusal } from '../../platform/index.ts';
import type { Sessions } from '../../sessions/index.ts';
import type { User, Users } from '../../users/index.ts';
import type { Budgets } from '../budgets.ts';
import { byThemselves } from '../journeys.ts';
import type { Notices } from '../notices.ts';
import { createAuthenticate } from './authenticate.ts';
import { ceremonyLife, createChallenges } from './challenges.ts';
import { createRegister } from './register.ts';
import { createPasskeyStore, type Passkey } from './store.ts';

export interface PasskeySettings {
  /** The relying party's id: the host of the issuer, or a domain above it. */
  rpId: string;
  rpName: string;
  /** Where passkeys may be used: the issuer's origin, and those that share the relying party's id. */
  origins: readonly string[];
  /** Kinds of authenticators that may be registered; all of them when empty. */
  allowedAaguids: readonly string[];
}

/** Where somebody asks from, for the journal and the notice. */
export interface From {
  ip: string;
  locale: string;
  userAgent?: string | undefined;
}

/** Everything about passkeys: to be made, to be used, to be kept in order. */
export interface Passkeys {
  readonly rpId: string;
  readonly origins: readonly string[];
  /**
   * For `navigator.credentials.create`. Discoverable, with user verification, and none that the person has already.
   * @param input.scope the sign-in or the session it happens in: the answer counts nowhere else
   * @param input.conditional without asking, right after a sign-in with a password
   */
  registrationOptions(input: {
    user: Pick<User, 'id' | 'email'> & { displayName(): string };
    scope: string;
    conditional?: boolean | undefined;
  }): Promise<PublicKeyCredentialCreationOptionsJSON>;
  /**
   * Takes a new passkey, and tells the owner by letter.
   * @param input.response what the browser answered, as JSON
   * @throws Refusal `passkey.expired`, `passkey.refused`, `passkey.kind_refused` (invalid), `passkey.known`, `passkey.too_many` (conflict)
   */
  register(input: { response: string; scope: string; userId: string; from: From }): Promise<Passkey>;
  /**
   * For `navigator.credentials.get`. Names no passkeys unless `userId` says whose it has to be, so it tells nothing of
   * who has one.
   */
  authenticationOptions(input: {
    scope: string;
    userId?: string | undefined;
  }): Promise<PublicKeyCredentialRequestOptionsJSON>;
  /**
   * Checks the proof, and notes the use. Wrong ones count against the address they come from.
   * @returns whose it is, and the methods it proves (RFC 8176): see `methodsOf`
   * @throws Refusal `passkey.expired`, `passkey.refused`, `passkey.unknown` (invalid; `details.credential` is the
   *   browser's name for it), `limit.exceeded` (limited)
   */
  authenticate(input: {
    response: string;
    scope: string;
    ip: string;
  }): Promise<{ userId: string; methods: string[]; passkey: Passkey }>;
  /** Oldest first. */
  list(userId: string): Promise<Passkey[]>;
  has(userId: string): Promise<boolean>;
  /** @throws Refusal `passkey.name_refused` (invalid), `passkey.missing` (missing) */
  rename(input: { userId: string; id: string; name: string; from: From }): Promise<void>;
  /** Tells the owner by letter. @throws Refusal `passkey.last` (conflict) when nothing else would get the person in, `passkey.missing` (missing) */
  remove(input: { userId: string; id: string; from: From }): Promise<void>;
}

export interface PasskeyPorts {
  db: Db;
  clock: Clock;
  fleeting: Sessions['fleeting'];
  events: Pick<Events, 'record'>;
  limits: Limits;
  budgets: Pick<Budgets, 'signinAddress'>;
  log: Pick<Log, 'warn'>;
  settings: PasskeySettings;
  users: Pick<Users, 'byId'>;
  /** Tells the owner, in the open transaction. */
  tell: Notices['tell'];
  /** Whether the person could sign in without any passkey. */
  hasOtherWayIn(userId: string): Promise<boolean>;
}

/** ES256, EdDSA, RS256: what every authenticator speaks one of. */
export const algorithms = [-7, -8, -257];

/** A person's user handle (WebAuthn Level 3, section 5.4.3): the bytes of the id, which say nothing of the person. */
export const userHandleOf = (userId: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.from(userId.replaceAll('-', ''), 'hex'));

const longestName = 60;

export function createPasskeys(ports: PasskeyPorts): Passkeys {
  const { db, events, users, settings, tell, hasOtherWayIn } = ports;
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
        attestationType: settings.allowedAaguids.length > 0 ? 'direct' : 'none',
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
        if (own.length === 1 && !(await hasOtherWayIn(userId))) throw new Refusal('passkey.last', { kind: 'conflict' });
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

const isId = (id: string) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id);
