import { Refusal } from '../../platform/index.ts';
import type { User } from '../../users/index.ts';
import { byThemselves } from '../by.ts';
import { contextOf, hasPassword, replacePassword } from './password.ts';
import type { Ports } from './ports.ts';

/** People who can sign in change their password: because they want to, or because they have to. */
export interface PasswordChanges {
  /**
   * Every other session ends; the owner gets a letter. Wrong current passwords count like those at sign-in.
   * @param input.session uid of the session that stays; without one, whoever has a second factor must sign in first
   * @param input.device the device cookie
   * @throws Refusal `password.current_wrong`, `password.second_factor` (unauthenticated), `password.same`, `password.…` (invalid), `limit.exceeded` (limited)
   */
  change(input: {
    userId: string;
    current: string;
    password: string;
    session?: string | undefined;
    device?: string | undefined;
    ip: string;
    locale: string;
  }): Promise<void>;
  /**
   * At sign-in, for an account in PasswordResetRequired whose current password has just been proved. It becomes Active.
   * @throws Refusal `password.same`, `password.…` (invalid), `user.transition_not_permitted` (conflict)
   */
  force(input: { userId: string; password: string; ip: string; locale: string }): Promise<void>;
}

export function createPasswordChanges(ports: Ports): PasswordChanges {
  const { db, users, passwords, policy } = ports;

  const known = async (userId: string): Promise<User> => {
    const user = await users.byId(userId);
    if (!user || user.isStopped()) throw new Refusal('user.unknown', { kind: 'missing' });
    return user;
  };

  const prepared = async (user: User, password: string) => {
    await policy.demand(password, contextOf(user));
    if (await passwords.check(user.id, password)) throw new Refusal('password.same', { kind: 'invalid' });
    return passwords.prepare(password);
  };

  return {
    async change({ userId, current, password, session, device, ip, locale }) {
      const user = await known(userId);
      if (!(await hasPassword(ports, user, { password: current, device, ip }))) {
        throw new Refusal('password.current_wrong', { kind: 'unauthenticated' });
      }
      // A stolen password alone must not end the owner's sessions either.
      const { totp, email, sms } = await ports.factors.of(userId);
      if (!session && (totp || email || sms)) {
        throw new Refusal('password.second_factor', { kind: 'unauthenticated' });
      }
      const next = await prepared(user, password);
      const by = byThemselves(userId, ip);
      await db.transact(async () =>
        replacePassword(ports, {
          user: await known(userId),
          prepared: next,
          by,
          locale,
          except: session,
          reason: 'password.changed',
        }),
      );
    },

    async force({ userId, password, ip, locale }) {
      const next = await prepared(await known(userId), password);
      const by = byThemselves(userId, ip);
      await db.transact(async () => {
        const user = await users.change(userId, 'completePasswordReset', by);
        await replacePassword(ports, { user, prepared: next, by, locale, reason: 'password.changed' });
      });
    },
  };
}
