import { Refusal } from '../../platform/index.ts';
import { isEmail } from '../../users/index.ts';
import { anonymously, byThemselves } from '../by.ts';
import type { Proof, ProofPurpose } from '../proofs.ts';
import { evenly } from './even.ts';
import { countLetter, minutes, reachable, send } from './letters.ts';
import { contextOf, replacePassword } from './password.ts';
import type { Asker, Ports } from './ports.ts';
import { countCode, matchCode, personOf, proveAddress } from './proving.ts';

/** A person who cannot sign in gets a new password by a letter; somebody invited gets their first one. */
export interface Resets {
  /**
   * Sends a letter with code and link to the address, if there is an account that may use them: the same answer after
   * the same time if not.
   * @returns the browser's handle, for {@link enterCode}
   * @throws Refusal `user.email_malformed` (invalid), `limit.exceeded`, `mail.too_many` (limited)
   */
  request(input: Asker & { email: string }): Promise<{ handle: string }>;
  /** Sends an invitation to an account that has no password yet; its link lives longer. In the open transaction.
   * @throws Refusal `user.unknown` (missing), `mail.too_many` (limited) */
  invite(input: { userId: string; locale: string }): Promise<void>;
  /**
   * The code, typed in where the letter was asked for. It is not used up yet.
   * @returns a ticket for {@link complete}, to be kept in a hidden field or in the attempt
   * @throws Refusal `proof.code_refused` (invalid), `limit.exceeded` (limited)
   */
  enterCode(input: {
    handle: string;
    code: string;
    ip: string;
  }): Promise<{ ticket: string; userId: string; email: string }>;
  /** What a GET of the link shows; changes nothing. @throws Refusal `proof.link_refused` (invalid), `limit.exceeded` */
  peek(input: { link: string }): Promise<{ userId: string; email: string; purpose: ProofPurpose; expiresAt: Date }>;
  /**
   * Sets the password, proves the address, lets the account go on (PasswordResetRequired, Unverified and Created become
   * Active), ends every session and writes the owner a letter, in one transaction.
   * @param input.by the letter's link, or the ticket for its code
   * @throws Refusal `proof.link_refused` (invalid), `proof.spent` (conflict), `password.…` (invalid; the link stays good),
   *   `credential.busy` (unavailable)
   */
  complete(input: {
    by: { link: string } | { ticket: string };
    password: string;
    ip: string;
    locale: string;
  }): Promise<{ userId: string; email: string }>;
}

const purposes = ['reset_password', 'choose_password'] as const satisfies ProofPurpose[];

export function createResets(ports: Ports): Resets {
  const { db, users, passwords, policy, proofs, events, mail, captcha, links, settings } = ports;

  const shown = async (by: { link: string } | { ticket: string }): Promise<Proof> => {
    const proof = 'link' in by ? await proofs.peekLink(by.link, purposes) : await proofs.fromTicket(by.ticket);
    if (!purposes.some((purpose) => purpose === proof.purpose)) throw new Refusal('proof.spent', { kind: 'conflict' });
    return proof;
  };

  return {
    async request({ email, ip, locale, handle, resume }) {
      if (!isEmail(email)) throw new Refusal('user.email_malformed', { kind: 'invalid' });
      await captcha.seen({ kind: 'forgot', ip });
      await countLetter(ports, ip, email);
      return evenly(settings.evenAnswer, () =>
        db.transact(async () => {
          const user = await users.byEmail(email);
          if (!user?.email || user.isStopped()) return { handle: handle ?? proofs.decoy() };
          const ttl = settings.resetLink;
          const sent = { userId: user.id, purpose: 'reset_password', email: user.email, ttl, handle } as const;
          const issued = await proofs.issue(sent);
          const link = links.reset(issued.link, resume);
          const params = { link, code: issued.code, minutes: minutes(ttl) };
          await send(ports, 'reset-password', { to: user.email, locale: user.locale ?? locale, params });
          await events.record({ type: 'credential.reset_requested', ...anonymously(ip), subject: user.id });
          return { handle: issued.handle };
        }),
      );
    },

    invite: ({ userId, locale }) =>
      db.transact(async () => {
        const { user, to } = await reachable(ports, userId);
        const ttl = settings.invitationLink;
        const { link } = await proofs.issue({ userId, purpose: 'choose_password', email: to, ttl });
        const params = { link: links.invitation(link) };
        await mail.send('choose-password', { to, locale: user.locale ?? locale, params });
      }),

    async enterCode({ handle, code, ip }) {
      const proof = await matchCode(ports, { handle, purpose: 'reset_password', code, ip });
      return { ticket: proofs.toTicket(proof), userId: proof.userId, email: proof.email };
    },

    async peek({ link }) {
      const proof = await proofs.peekLink(link, purposes);
      const { userId, email, purpose, expiresAt } = proof;
      await personOf(ports, proof);
      return { userId, email, purpose, expiresAt };
    },

    async complete({ by, password, ip, locale }) {
      await countCode(ports, ip);
      const proof = await shown(by);
      await policy.demand(password, contextOf(await personOf(ports, proof)));
      const prepared = await passwords.prepare(password);
      return db.transact(async () => {
        await proofs.use(proof);
        const user = await personOf(ports, proof);
        const self = byThemselves(user.id, ip);
        await proveAddress(ports, user, self);
        if (user.may('completePasswordReset')) await users.change(user.id, 'completePasswordReset', self);
        await replacePassword(ports, { user, prepared, by: self, locale, reason: 'password.reset' });
        await events.record({ type: 'credential.reset_completed', ...self, subject: user.id });
        return { userId: user.id, email: proof.email };
      });
    },
  };
}
