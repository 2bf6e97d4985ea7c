import type { Events } from '../events/index.ts';
import { type Db, isDuplicate } from '../platform/db/index.ts';
import { type Clock, newId, Refusal } from '../platform/index.ts';
import type { Sessions } from '../sessions/index.ts';
import { emailKey, isEmail } from './email.ts';
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
  /** Custom fields by name, as {@link Fields.check} cleaned them. */
  attributes?: Record<string, unknown> | undefined;
  termsVersion?: string | undefined;
}

/** Who asks and why; the time comes from the clock. */
export type By = Omit<Change, 'at'>;

export interface Users {
  byId(id: string): Promise<User | undefined>;
  /** Finds the account that has this address now; deleted accounts have none. */
  byEmail(email: string): Promise<User | undefined>;
  hasAdministrator(): Promise<boolean>;
  /** @throws Refusal `user.email_taken` (conflict), `user.email_malformed` (invalid) */
  create(input: NewUser, by: By): Promise<User>;
  /**
   * Moves the account through one transition. When it may no longer hold anything, everything it holds ends in the
   * same transaction.
   * @throws Refusal `user.unknown` (missing), `user.transition_not_permitted` (conflict), `user.email_taken` on recovery
   */
  change(id: string, transition: Transition, by: By): Promise<User>;
  /** Changes facts about the person, not the state. `edit` works on the locked entity. */
  update(id: string, by: By, edit: (user: User) => void): Promise<User>;
}

export function createUsers(options: {
  db: Db;
  sessions: Pick<Sessions, 'endAllOf'>;
  events: Pick<Events, 'record'>;
  clock: Clock;
}): Users {
  const { db, sessions, events, clock } = options;
  const isId = (id: string) => /^[0-9a-f-]{36}$/.test(id);

  const locked = async (id: string): Promise<User> => {
    const user = isId(id) ? await db.em().findOne(User, { id }, { lockMode: 4, refresh: true }) : null;
    if (!user) throw new Refusal('user.unknown', { kind: 'missing' });
    return user;
  };

  const refusingDuplicates = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (isDuplicate(error, 'user_account_email_key')) throw new Refusal('user.email_taken', { kind: 'conflict' });
      throw error;
    }
  };

  return {
    byId: async (id) => (isId(id) ? ((await db.em().findOne(User, { id })) ?? undefined) : undefined),

    byEmail: async (email) =>
      isEmail(email)
        ? ((await db.em().findOne(User, { emailKey: emailKey(email), state: { $ne: 'Deleted' } })) ?? undefined)
        : undefined,

    hasAdministrator: async () =>
      (await db.query(`select 1 from user_account where administrator and state <> 'Deleted' limit 1`)).length > 0,

    create: (input, by) =>
      refusingDuplicates(() =>
        db.transact(async (em) => {
          const at = clock.now();
          const user = em.create(User, {
            id: input.id ?? newId(),
            state: input.state ?? 'Created',
            stateChangedAt: at,
            administrator: input.administrator ?? false,
            name: input.name,
            givenName: input.givenName,
            familyName: input.familyName,
            locale: input.locale,
            profile: input.profile ?? {},
            attributes: input.attributes ?? {},
            termsVersion: input.termsVersion,
            termsAcceptedAt: input.termsVersion ? at : undefined,
            createdAt: at,
            updatedAt: at,
          });
          if (input.email !== undefined)
            user.changeEmail(input.email, { at }, { verified: input.emailVerified ?? false });
          await em.flush();
          await events.record({ type: 'user.created', ...by, subject: user.id, data: { state: user.state } });
          return user;
        }),
      ),

    change: (id, transition, by) =>
      refusingDuplicates(() =>
        db.transact(async (em) => {
          const user = await locked(id);
          const from = user.state;
          user.apply(transition, { ...by, at: clock.now() });
          await em.flush();
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
      refusingDuplicates(() =>
        db.transact(async (em) => {
          const user = await locked(id);
          edit(user);
          user.updatedAt = clock.now();
          await em.flush();
          await events.record({ type: 'user.updated', ...by, subject: id });
          return user;
        }),
      ),
  };
}
