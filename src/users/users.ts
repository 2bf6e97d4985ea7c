import { LockMode } from '@mikro-orm/core';
import type { Events } from '../events/index.ts';
import { type Db, isDuplicate } from '../platform/db/index.ts';
import { allOf, type Clock, isId, newId, Refusal } from '../platform/index.ts';
import type { Sessions } from '../sessions/index.ts';
import { insertAccount, readAccount, readAccountAt } from './account-row.ts';
import { emailKey, isEmail } from './email.ts';
import { createFormerAddresses } from './former-addresses.ts';
import { type Change, type Transition, transitions, type UserState } from './states.ts';
import { User, type UserProfile } from './user.ts';

export interface NewUser {
  id?: string;
  email?: string | undefined;
  emailVerified?: boolean;
  state?: Extract<UserState, 'Created' | 'Unverified' | 'PasswordResetRequired' | 'Active'>;
  administrator?: boolean;
  name?: string | undefined;
  givenName?: string | undefined;
  familyName?: string | undefined;
  locale?: string | undefined;
  profile?: UserProfile;
  /** What directories know the person by; who has none goes by the address. */
  userName?: string | undefined;
  externalId?: string | undefined;
  /** The directory that made it, where several provision here. */
  provisioningDomain?: string | undefined;
  /** What SCIM keeps of a person that OpenID Connect has no claim for. */
  directory?: Record<string, unknown> | undefined;
  /** Custom fields by name, as {@link Fields.check} cleaned them. */
  attributes?: Record<string, unknown> | undefined;
  termsVersion?: string | undefined;
}

/** Who asks and why; the time comes from the clock. */
export type By = Omit<Change, 'at'>;

export interface Users {
  /** As they stand, to be looked at: whoever changes somebody does it by `change` or `update`. */
  byId(id: string): Promise<User | undefined>;
  /** Finds the account that has this address now; deleted accounts have none. */
  byEmail(email: string): Promise<User | undefined>;
  hasAdministrator(): Promise<boolean>;
  /** @throws Refusal `user.email_taken`, `user.user_name_taken` (conflict), `user.email_malformed`, `user.user_name_malformed` (invalid) */
  create(input: NewUser, by: By): Promise<User>;
  /**
   * Moves the account through one transition. When it may no longer hold anything, everything it holds ends in the
   * same transaction.
   * @throws Refusal `user.unknown` (missing), `user.transition_not_permitted` (conflict), `user.email_taken` on recovery
   */
  change(id: string, transition: Transition, by: By): Promise<User>;
  /** Changes facts about the person, not the state. `edit` works on the locked entity. */
  update(id: string, by: By, edit: (user: User) => void): Promise<User>;
  /** Notes that the person has signed in. Nothing they or an administrator could have changed: the version stays. */
  signedIn(id: string): Promise<void>;
}

/** Somebody new, not written yet. */
function begun(input: NewUser, at: Date): User {
  const user = Object.assign(new User(), {
    id: input.id ?? newId(),
    state: input.state ?? 'Created',
    stateBefore: null,
    stateChangedAt: at,
    stateReason: null,
    email: null,
    emailKey: null,
    emailVerifiedAt: null,
    administrator: input.administrator ?? false,
    name: input.name ?? null,
    givenName: input.givenName ?? null,
    familyName: input.familyName ?? null,
    locale: input.locale ?? null,
    profile: input.profile ?? {},
    userName: null,
    userNameKey: null,
    externalId: input.externalId ?? null,
    provisioningDomain: input.provisioningDomain ?? null,
    attributes: input.attributes ?? {},
    directory: input.directory ?? {},
    settings: {},
    identityStatus: 'none',
    identityStatusAt: null,
    lastSignInAt: null,
    termsVersion: input.termsVersion ?? null,
    termsAcceptedAt: input.termsVersion ? at : null,
    createdAt: at,
    updatedAt: at,
    version: 1,
  } as const);
  if (input.email !== undefined) user.changeEmail(input.email, { at }, { verified: input.emailVerified ?? false });
  if (input.userName !== undefined) user.changeUserName(input.userName);
  return user;
}

export function createUsers(options: {
  db: Db;
  sessions: Pick<Sessions, 'endAllOf'>;
  events: Pick<Events, 'record'>;
  clock: Clock;
}): Users {
  const { db, sessions, events, clock } = options;
  const formerAddresses = createFormerAddresses({ db, clock });

  /**
   * After the address was written, so that whoever has just given it up has committed: only then their way back is seen.
   */
  const refuseKept = async ({ id, email }: User): Promise<void> => {
    if (email && (await formerAddresses.isKept(email, id))) throw new Refusal('user.email_taken', { kind: 'conflict' });
  };

  const locked = async (id: string): Promise<User> => {
    const user = isId(id)
      ? await db.em().findOne(User, { id }, { lockMode: LockMode.PESSIMISTIC_WRITE, refresh: true })
      : null;
    if (!user) throw new Refusal('user.unknown', { kind: 'missing' });
    return user;
  };

  /**
   * Who has no user name goes by the address, so an address can be taken as somebody's user name as well: to whoever
   * types it in that is the same "no", told the same way.
   */
  const refusingDuplicates = async <T>(work: (about: (user: User) => void) => Promise<T>): Promise<T> => {
    let user: User | undefined;
    try {
      return await work((found) => {
        user = found;
      });
    } catch (error) {
      if (isDuplicate(error, 'user_account_email_key')) throw new Refusal('user.email_taken', { kind: 'conflict' });
      if (isDuplicate(error, 'user_account_user_name_key')) {
        const code = user?.userName == null ? 'user.email_taken' : 'user.user_name_taken';
        throw new Refusal(code, { kind: 'conflict' });
      }
      throw error;
    }
  };

  return {
    byId: async (id) => (isId(id) ? readAccount(db, id) : undefined),
    byEmail: async (email) => (isEmail(email) ? readAccountAt(db, emailKey(email)) : undefined),

    hasAdministrator: async () =>
      (await db.query(`select 1 from user_account where administrator and state <> 'Deleted' limit 1`)).length > 0,

    create: (input, by) =>
      refusingDuplicates(async (about) => {
        const user = begun(input, clock.now());
        about(user);
        // Sent together and done in this order: whichever fails takes everything back.
        await db.transact(() =>
          allOf([
            insertAccount(db, user),
            refuseKept(user),
            events.record({ type: 'user.created', ...by, subject: user.id, data: { state: user.state } }),
          ]),
        );
        return user;
      }),

    change: (id, transition, by) =>
      refusingDuplicates((about) =>
        db.transact(async () => {
          const user = await locked(id);
          about(user);
          const from = user.state;
          user.apply(transition, { ...by, at: clock.now() });
          await db.em().flush();
          if (!user.mayHold()) await sessions.endAllOf(id, transitions[transition].event);
          await events.record({
            type: transitions[transition].event,
            ...by,
            subject: id,
            data: { from, to: user.state },
          });
          return user;
        }),
      ),

    update: (id, by, edit) =>
      refusingDuplicates((about) =>
        db.transact(async () => {
          const user = await locked(id);
          about(user);
          const { emailKey: before } = user;
          edit(user);
          user.updatedAt = clock.now();
          await db.em().flush();
          if (user.emailKey !== before) await refuseKept(user);
          await events.record({ type: 'user.updated', ...by, subject: id });
          return user;
        }),
      ),

    async signedIn(id) {
      const statement = 'update user_account set last_sign_in_at = $2 where id = $1';
      await db.query(statement, [id, clock.now()], 'user-signed-in');
    },
  };
}
