import { defineEntity, p } from '@mikro-orm/postgresql';
import { Refusal } from '../platform/refusal.ts';
import { emailKey, isEmail } from './email.ts';
import { type IdentityStatus, identityStatuses } from './identity.ts';
import { ownEmailKind, ownValueAt } from './own-value.ts';
import { type Change, isStopped, mayHold, type Transition, transitions, type UserState, userStates } from './states.ts';
import { isUserName, userNameKey } from './user-name.ts';

/** The rest of OpenID Connect Core 1.0, section 5.1, that is not a column of its own; and `bio`, which is no claim. */
export interface UserProfile {
  middle_name?: string;
  nickname?: string;
  preferred_username?: string;
  profile?: string;
  picture?: string;
  website?: string;
  gender?: string;
  birthdate?: string;
  zoneinfo?: string;
  phone_number?: string;
  phone_number_verified?: boolean;
  address?: Record<string, string>;
  bio?: string;
}

/**
 * The claims of the scope `profile` that are texts of it (OpenID Connect Core 1.0, section 5.4). The others, the names, the
 * locale and when all this was changed, have columns of their own.
 */
export const profileClaims = [
  'middle_name',
  'nickname',
  'preferred_username',
  'profile',
  'picture',
  'website',
  'gender',
  'birthdate',
  'zoneinfo',
] as const satisfies readonly (keyof UserProfile)[];

export const UserEntity = defineEntity({
  name: 'User',
  tableName: 'user_account',
  properties: {
    id: p.uuid().primary(),
    state: p.enum([...userStates]),
    stateBefore: p.enum([...userStates]).nullable(),
    stateChangedAt: p.datetime(),
    stateReason: p.text().nullable(),
    email: p.text().nullable(),
    emailKey: p.text().nullable(),
    emailVerifiedAt: p.datetime().nullable(),
    administrator: p.boolean().default(false),
    name: p.text().nullable(),
    givenName: p.text().nullable(),
    familyName: p.text().nullable(),
    locale: p.text().nullable(),
    profile: p.json<UserProfile>(),
    /** What directories know the person by (SCIM's userName); who has none goes by the address. */
    userName: p.text().nullable(),
    userNameKey: p.text().nullable(),
    externalId: p.text().nullable(),
    provisioningDomain: p.text().nullable(),
    /** Custom fields by name. */
    attributes: p.json<Record<string, unknown>>().default({} as never),
    /** What SCIM keeps of a person that OpenID Connect has no claim for. */
    directory: p.json<Record<string, unknown>>().default({} as never),
    /** What the person chose for themselves: language, theme, notices, privacy. */
    settings: p.json<Record<string, unknown>>().default({} as never),
    /** Whether it is proved who they are outside; kept for whoever checks it. */
    identityStatus: p.enum([...identityStatuses]).default('none'),
    identityStatusAt: p.datetime().nullable(),
    lastSignInAt: p.datetime().nullable(),
    termsVersion: p.text().nullable(),
    termsAcceptedAt: p.datetime().nullable(),
    createdAt: p.datetime(),
    updatedAt: p.datetime(),
    version: p.integer().version(),
  },
});

/** A person's account. Its state changes only through {@link User.apply}, by the table in `states.ts`. */
export class User extends UserEntity.class {
  isEmailVerified(): boolean {
    return this.emailVerifiedAt != null;
  }

  /** Whether the account may hold sessions, grants and tokens. */
  mayHold(): boolean {
    return mayHold(this.state as UserState);
  }

  /**
   * Made by whoever typed the address in; nobody has shown to read it yet. To everybody but the reader of the letter
   * there is no such account: who could sign in to it with the password they chose would learn that there was none.
   */
  isUnverified(): boolean {
    return this.state === 'Unverified';
  }

  isStopped(): boolean {
    return isStopped(this.state as UserState);
  }

  /** What to call the person on a page. */
  displayName(): string {
    return this.name ?? ([this.givenName, this.familyName].filter(Boolean).join(' ') || this.email || '');
  }

  may(transition: Transition): boolean {
    return (transitions[transition].from as readonly UserState[]).includes(this.state as UserState);
  }

  /**
   * Changes the state.
   * @throws Refusal `user.transition_not_permitted` (conflict) when the table does not have it
   */
  apply(transition: Transition, change: Change): void {
    if (!this.may(transition)) {
      throw new Refusal('user.transition_not_permitted', {
        kind: 'conflict',
        details: { transition, state: this.state },
      });
    }
    const from = this.state as UserState;
    const { to } = transitions[transition];
    this.state = to === 'before' ? stateToReturnTo(this) : to;
    // A chain of stops (suspended, then deleted) returns to the state the person was last in on their own.
    if (!isStopped(from)) this.stateBefore = from;
    this.stateChangedAt = change.at;
    this.stateReason = change.reason ?? null;
    this.updatedAt = change.at;
    if (transition === 'verify') this.emailVerifiedAt = change.at;
  }

  /** Takes a new address, which is unverified until proved. @throws Refusal `user.email_malformed` */
  changeEmail(address: string, change: Pick<Change, 'at'>, options: { verified?: boolean } = {}): void {
    if (!isEmail(address)) throw new Refusal('user.email_malformed', { kind: 'invalid' });
    this.email = address.trim().normalize('NFC');
    this.emailKey = emailKey(address);
    this.emailVerifiedAt = options.verified ? change.at : null;
    this.updatedAt = change.at;
    this.directory = withAddress(this.directory ?? {}, this.email, this.emailKey);
  }

  /** Takes what was found out of who the person is outside. */
  judgeIdentity(status: IdentityStatus, { at }: Pick<Change, 'at'>): void {
    if (status === this.identityStatus) return;
    this.identityStatus = status;
    this.identityStatusAt = at;
    this.updatedAt = at;
  }

  /** What directories know the person by; with null they go by their address. @throws Refusal `user.user_name_malformed` */
  changeUserName(userName: string | null): void {
    if (userName !== null && !isUserName(userName)) throw new Refusal('user.user_name_malformed', { kind: 'invalid' });
    this.userName = userName;
    this.userNameKey = userName === null ? null : userNameKey(userName);
  }
}

/** No private method: an entity that was loaded did not go through the constructor, which is what would let it be called. */
const stateToReturnTo = (user: User): UserState =>
  (user.stateBefore as UserState | null) ?? (user.isEmailVerified() ? 'Active' : 'Unverified');

/** A directory's list of addresses keeps step: its own one is the account's. */
function withAddress(directory: Record<string, unknown>, value: string, key: string): Record<string, unknown> {
  if (!Array.isArray(directory.emails)) return directory;
  const own = ownValueAt(directory.emails, ownEmailKind);
  const emails = directory.emails.map((email: object, at) => (at === own ? { ...email, value, key } : email));
  return { ...directory, emails };
}

UserEntity.setClass(User);
