import type {
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
} from '@simplewebauthn/server';
import type { Events } from '../../events/index.ts';
import type { Db } from '../../platform/db/index.ts';
import type { Clock, Limits, Log } from '../../platform/index.ts';
import type { Sessions } from '../../sessions/index.ts';
import type { User, Users } from '../../users/index.ts';
import type { Budgets } from '../budgets.ts';
import type { Notices } from '../notices.ts';
import type { Passkey } from './store.ts';

export interface PasskeySettings {
  /** The relying party's id: the host of the issuer, or a domain above it. */
  rpId: string;
  rpName: string;
  /** Where passkeys may be used: the issuer's origin, and those that share the relying party's id. */
  origins: readonly string[];
  /** Kinds of authenticators that may be registered; all of them when empty. */
  allowedAaguids: readonly string[];
  /** A BLOB of the FIDO Metadata Service: only kinds it vouches for may be registered. */
  metadata?: string | undefined;
  /** The authority it is signed under, if not the FIDO Alliance’s. */
  metadataRoot?: string | undefined;
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
    userAgent?: string | undefined;
  }): Promise<{ userId: string; methods: string[]; passkey: Passkey }>;
  /** Oldest first. */
  list(userId: string): Promise<Passkey[]>;
  has(userId: string): Promise<boolean>;
  /** @throws Refusal `passkey.name_refused` (invalid), `passkey.missing` (missing) */
  rename(input: { userId: string; id: string; name: string; from: From }): Promise<void>;
  /** Tells the owner by letter. @throws Refusal `passkey.last` (conflict) when nothing else would get the person in, `passkey.required` (conflict)
   * when they must have two factors and this is the second, `passkey.missing` (missing) */
  remove(input: { userId: string; id: string; from: From }): Promise<void>;
}

export interface PasskeyPorts {
  db: Db;
  clock: Clock;
  fleeting: Sessions['fleeting'];
  events: Pick<Events, 'record'>;
  limits: Limits;
  budgets: Pick<Budgets, 'signinAddress'>;
  log: Log;
  settings: PasskeySettings;
  users: Pick<Users, 'byId'>;
  /** Tells the owner, in the open transaction. */
  tell: Notices['tell'];
  /** Whether the person could sign in without any passkey. */
  hasOtherWayIn(userId: string): Promise<boolean>;
  /** Whether the person must have two factors and has no second one but passkeys. */
  mustHaveAnother(userId: string): Promise<boolean>;
}

/** ES256, EdDSA, RS256: what every authenticator speaks one of. */
export const algorithms = [-7, -8, -257];

/** A person's user handle (WebAuthn Level 3, section 5.4.3): the bytes of the id, which say nothing of the person. */
export const userHandleOf = (userId: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.from(userId.replaceAll('-', ''), 'hex'));
