import type { Events } from '../events/index.ts';
import type { Mail, SecurityNotice, Sms } from '../mail/index.ts';
import { describeAgent } from '../platform/agent.ts';
import type { Db } from '../platform/db/index.ts';
import { allOf, type Clock, type Limits, Refusal, randomToken, secondsAfter, sha256 } from '../platform/index.ts';
import type { Sessions } from '../sessions/index.ts';
import { type User, type Users, wants } from '../users/index.ts';
import { type Budgets, countMessage } from './budgets.ts';
import type { RecoveryCodes } from './factors/recovery-codes.ts';
import type { RememberedDevices } from './factors/remembered-devices.ts';
import type { Links } from './links.ts';
import type { Passwords } from './passwords/passwords.ts';
import type { Proofs } from './proofs.ts';

/** What tells the owner after the fact: letters, each with a link for "this was not me", and what they have chosen beside. */
export interface Notices {
  /**
   * Tells the owner, in the open transaction: by letter whatever they prefer, and by text message as well where they want that
   * and have proved a number. Without an address nobody.
   */
  tell(
    user: Pick<User, 'id' | 'email' | 'locale' | 'profile' | 'settings'>,
    what: SecurityNotice,
    at: { locale: string; ip: string; userAgent?: string | undefined },
  ): Promise<void>;
  /** What the owner was told of late, newest first: for the pages, where a letter may have been overlooked. */
  lately(userId: string): Promise<{ what: SecurityNotice | 'password-changed'; at: Date }[]>;
  /** A link for a letter of another kind. */
  link(userId: string, what: SecurityNotice | 'password-changed'): Promise<string>;
  /** What a GET of the link shows; changes nothing. @throws Refusal `notice.link_refused` (invalid) */
  peek(link: string): Promise<{ what: string; sentAt: Date }>;
  /**
   * It was not the owner. The password is void, every session, grant and remembered device ends, and so do the keys,
   * recovery codes and connected accounts made since; then a letter for a new password goes to the owner.
   *
   * Whoever reads the owner's mail gets no further by this than by asking for that letter: a second factor, once
   * enrolled, stays and is asked for, even if it was what the notice told of.
   * @throws Refusal `notice.link_refused` (invalid): unknown, used or expired
   */
  lock(input: { link: string; ip: string; locale: string }): Promise<void>;
  /**
   * The same for a link of another kind, in the open transaction.
   * @param input.since what was made then or later ends
   * @returns the person; undefined when there is none who could be locked out
   */
  lockOut(input: { userId: string; since: Date; ip: string }): Promise<User | undefined>;
  /** The letter for a new password, after {@link lockOut} has committed. */
  sendRecovery(user: Pick<User, 'email'>, asker: { ip: string; locale: string }): Promise<void>;
  tidy(): Promise<void>;
}

const linkSeconds = 14 * 24 * 60 * 60;
/** Told of on the pages as long as the link is good, and not more than that. */
const mostShown = 5;
/** The notice follows what it tells of within a transaction, and clocks of several processes differ. */
const leadSeconds = 60;

/** As a person would call it; what says nothing of itself in a few words of its own. */
const shortly = (userAgent = ''): string => {
  const { browser, system } = describeAgent(userAgent);
  return [browser, system].filter(Boolean).join(', ') || userAgent.slice(0, 40) || '–';
};

export function createNotices(deps: {
  db: Db;
  clock: Clock;
  mail: Pick<Mail, 'send'>;
  /** Absent where no text message can be sent. */
  sms: Pick<Sms, 'send'> | undefined;
  /** The sentence of the message, in a language. */
  noticeText: (locale: string, what: SecurityNotice, link: string) => string;
  limits: Pick<Limits, 'demand'>;
  budgets: Budgets;
  events: Pick<Events, 'record'>;
  users: Pick<Users, 'byId' | 'change'>;
  sessions: Pick<Sessions, 'endAllOf'>;
  passwords: Pick<Passwords, 'remove'>;
  proofs: Pick<Proofs, 'revoke'>;
  recoveryCodes: Pick<RecoveryCodes, 'remove'>;
  rememberedDevices: Pick<RememberedDevices, 'forgetAll'>;
  links: Links;
  /** Ways in that are another room's. */
  elsewhere: { removeSince(userId: string, since: Date): Promise<void> };
  /** Sends the letter for a new password. Set once it is built: it needs these notices itself. */
  resets(): { request(input: { email: string; ip: string; locale: string }): Promise<unknown> };
}): Notices {
  const { db, clock, mail, events, users, sessions, links } = deps;
  const refused = () => new Refusal('notice.link_refused', { kind: 'invalid' });

  const keep = (token: string, userId: string, what: SecurityNotice | 'password-changed') => {
    const now = clock.now();
    return db.query(
      'insert into security_notice (link_hash, user_id, what, sent_at, expires_at) values ($1, $2, $3, $4, $5)',
      [sha256(token), userId, what, now, secondsAfter(now, linkSeconds)],
      'notice-insert',
    );
  };

  const link: Notices['link'] = async (userId, what) => {
    const token = randomToken();
    await keep(token, userId, what);
    return links.notMe(token);
  };

  const lockOut: Notices['lockOut'] = async ({ userId, since: told, ip }) => {
    const since = secondsAfter(told, -leadSeconds);
    // The other letters told of the same trouble: each would end the owner's recovery anew.
    await db.query('update security_notice set used_at = $2 where user_id = $1 and used_at is null', [
      userId,
      clock.now(),
    ]);
    const user = await users.byId(userId);
    if (!user || user.isStopped()) return undefined;
    // Anonymous: whoever holds the link need not be the owner.
    const by = { actor: { kind: 'anonymous' as const }, ip, reason: 'notice.not_me' };
    // The old password must not be what the new one is chosen with: the thief may be who knows it.
    await deps.passwords.remove(userId);
    if (user.may('requirePasswordReset')) await users.change(userId, 'requirePasswordReset', by);
    else await sessions.endAllOf(userId, 'user.locked');
    await deps.proofs.revoke(userId);
    await deps.rememberedDevices.forgetAll(userId);
    await deps.recoveryCodes.remove(userId, { since });
    await deps.elsewhere.removeSince(userId, since);
    // An administrator may have been talked into it.
    await db.query('update recovery_link set cancelled_at = $2 where account_id = $1 and used_at is null', [
      userId,
      clock.now(),
    ]);
    const passkeys = await db.query<{ id: string }>(
      'delete from passkey where user_id = $1 and created_at >= $2 returning id',
      [userId, since],
    );
    for (const { id } of passkeys) {
      const data = { kind: 'passkey', credential: id };
      await events.record({ type: 'credential.removed', ...by, subject: userId, data });
    }
    await events.record({ type: 'user.locked', ...by, subject: userId });
    return user;
  };

  /** Beside the letter, so whatever keeps it from being sent is no reason to undo what is told of. */
  const sendText = async (user: Parameters<Notices['tell']>[0], text: string, ip: string): Promise<void> => {
    const { phone_number: number, phone_number_verified: proved } = user.profile;
    if (!deps.sms || !number || !proved || !wants(user, 'security', 'sms')) return;
    try {
      await countMessage(deps, { number, userId: user.id, ip });
    } catch (error) {
      if (error instanceof Refusal && ['limited', 'unavailable'].includes(error.kind)) return;
      throw error;
    }
    await deps.sms.send({ to: number, text, until: secondsAfter(clock.now(), 24 * 60 * 60) });
  };

  const sendRecovery: Notices['sendRecovery'] = async ({ email }, { ip, locale }) => {
    if (!email) return;
    try {
      await deps.resets().request({ email, ip, locale });
    } catch (error) {
      // Too many letters there: the page leads to where one is asked for later.
      if (!(error instanceof Refusal && error.kind === 'limited')) throw error;
    }
  };

  return {
    link,
    lockOut,
    sendRecovery,

    async tell(user, what, { locale, ip, userAgent }) {
      if (!user.email) return;
      const { email } = user;
      const spoken = user.locale ?? locale;
      const token = randomToken();
      const notMe = links.notMe(token);
      await db.transact(async () => {
        const letter = mail.send('security-notice', {
          to: email,
          locale: spoken,
          timeZone: user.profile.zoneinfo,
          params: { what, when: clock.now(), ip, device: shortly(userAgent), link: notMe },
        });
        await allOf([keep(token, user.id, what), letter]);
        await sendText(user, deps.noticeText(spoken, what, notMe), ip);
      });
    },

    async lately(userId) {
      const rows = await db.query<{ what: SecurityNotice; sent_at: string }>(
        `select what, sent_at from security_notice where user_id = $1 and expires_at > $2
           order by sent_at desc limit ${mostShown}`,
        [userId, clock.now()],
      );
      return rows.map(({ what, sent_at: at }) => ({ what, at: new Date(at) }));
    },

    async peek(token) {
      const [row] = await db.query<{ what: string; sent_at: string }>(
        'select what, sent_at from security_notice where link_hash = $1 and used_at is null and expires_at > $2',
        [sha256(token), clock.now()],
      );
      if (!row) throw refused();
      return { what: row.what, sentAt: new Date(row.sent_at) };
    },

    async lock({ link: token, ip, locale }) {
      const user = await db.transact(async () => {
        const now = clock.now();
        const [used] = await db.query<{ user_id: string; sent_at: string }>(
          `update security_notice set used_at = $2 where link_hash = $1 and used_at is null and expires_at > $2
             returning user_id, sent_at`,
          [sha256(token), now],
        );
        if (!used) throw refused();
        return lockOut({ userId: used.user_id, since: new Date(used.sent_at), ip });
      });
      if (user) await sendRecovery(user, { ip, locale });
    },

    async tidy() {
      await db.query('delete from security_notice where expires_at <= $1', [clock.now()]);
    },
  };
}
