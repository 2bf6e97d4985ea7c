import { Refusal } from '../../platform/index.ts';
import { isEmail, type User, wants } from '../../users/index.ts';
import { type By, byThemselves } from '../by.ts';
import type { Proof } from '../proofs.ts';
import { evenly } from './even.ts';
import { countLetter, minutes, reachable, send } from './letters.ts';
import { contextOf, hasPassword, replacePassword } from './password.ts';
import type { Asker, Ports } from './ports.ts';
import { countCode, matchCode, personOf, proveAddress } from './proving.ts';

/**
 * What the link asks for beside a press: nothing in the browser that asked for the letter; elsewhere the password chosen
 * there, or, where there is none, a new one. Whoever registers another's address must not get its owner to open the
 * account for them: their password, or their browser that waits, would be in it.
 */
export type LinkAsks = 'nothing' | 'password' | 'new-password';

/** The browser's cookie with the handle of the letter it asked for last. */
export const letterCookieName = (issuer: string): string => (issuer.startsWith('https:') ? '__Host-letter' : 'letter');

/** Seconds that cookie lives: as long as a letter that has expired can be asked for again (`proofs.sweep`). */
export const letterCookieLife = 24 * 60 * 60;

/** A person proves to read the address they registered with. */
export interface Verification {
  /**
   * Sends code and link to somebody who has proved their password but not their address.
   * @throws Refusal `limit.exceeded`, `mail.too_many` (limited), `user.unknown` (missing)
   */
  send(input: Asker & { userId: string }): Promise<{ handle: string; expiresAt: Date }>;
  /**
   * An administrator has them sent, to many perhaps: only what one recipient gets is counted. In the open transaction.
   * @throws Refusal `user.unknown` (missing), `mail.too_many` (limited)
   */
  ask(input: { userId: string; locale: string; by: By }): Promise<void>;
  /**
   * Sends them to an address whose link has died, if an account waits for it to be proved: the same answer after the same
   * time whether one does. The browser whose handle led to the dead one may use the new link as it could the old.
   * @throws Refusal `user.email_malformed` (invalid), `limit.exceeded`, `mail.too_many` (limited)
   */
  sendTo(input: Asker & { email: string }): Promise<void>;
  /**
   * The code, typed in where the letter was asked for.
   * @throws Refusal `proof.code_refused` (invalid), `proof.spent` (conflict), `limit.exceeded` (limited)
   */
  confirmCode(input: { handle: string; code: string; ip: string; locale: string }): Promise<{ userId: string }>;
  /** Who waits in this browser and has opened the letter's link meanwhile; undefined while they have not. */
  settled(handle: string): Promise<string | undefined>;
  /** What a GET of the link shows; changes nothing. @throws Refusal `proof.link_refused` (invalid), `proof.spent` */
  peek(input: {
    link: string;
    handle?: string | undefined;
  }): Promise<{ email: string; expiresAt: Date; asks: LinkAsks }>;
  /**
   * The link, by a POST.
   * @param input.handle of the browser in which it is opened, if it has one
   * @param input.current the password chosen at the registration; with it the browser that waits goes on as well
   * @param input.password a new one in its place: what was chosen there, and the browser that waits, are worth nothing then
   * @returns `sameBrowser`: it was opened where the letter was asked for, whose sign-in may go on
   * @throws Refusal `proof.link_refused` (invalid), `proof.spent` (conflict), `limit.exceeded` (limited);
   *   `password.missing`, `password.registered_wrong`, `password.…` (invalid) when {@link LinkAsks} is not met: the link
   *   stays good; `credential.busy` (unavailable)
   */
  confirmLink(input: {
    link: string;
    handle?: string | undefined;
    current?: string | undefined;
    password?: string | undefined;
    ip: string;
    locale: string;
  }): Promise<{ userId: string; sameBrowser: boolean }>;
}

export function createVerification(ports: Ports): Verification {
  const { db, users, passwords, policy, proofs, events, mail, links, settings } = ports;
  const purpose = 'verify_email';

  const asksOf = async (user: User, sameBrowser: boolean): Promise<LinkAsks> => {
    // Only who waits for it was registered by whoever came along; all others were put here by somebody known.
    if (sameBrowser || !user.may('verify')) return 'nothing';
    return (await passwords.has(user.id)) ? 'password' : 'new-password';
  };

  const confirm = (proof: Proof, { ip, locale }: Pick<Asker, 'ip' | 'locale'>, chosen?: { hash: string }) =>
    db.transact(async () => {
      await proofs.use(proof);
      const user = await personOf(ports, proof);
      const by = byThemselves(user.id, ip);
      const isNew = user.may('verify');
      await proveAddress(ports, user, by);
      if (chosen) await replacePassword(ports, { user, prepared: chosen, by, locale, reason: 'password.reset' });
      if (isNew && wants(user, 'account', 'email')) {
        await send(ports, 'welcome', {
          to: proof.email,
          locale: user.locale ?? locale,
          params: { link: links.signIn() },
        });
      }
      await events.record({ type: 'user.email_verified', ...by, subject: user.id });
    });

  const letter = ({ userId, to, ip, locale, handle, resume }: Asker & { userId: string; to: string }) => {
    const ttl = settings.verificationLink;
    return db.transact(async () => {
      const issued = await proofs.issue({ userId, purpose, email: to, ttl, handle });
      const link = links.verify(issued.link, resume);
      await send(ports, 'verify-address', { to, locale, params: { link, code: issued.code, minutes: minutes(ttl) } });
      await events.record({ type: 'credential.verification_requested', ...byThemselves(userId, ip), subject: userId });
      return { handle: issued.handle, expiresAt: issued.expiresAt };
    });
  };

  return {
    async send({ userId, ip, locale, handle, resume }) {
      const { to } = await reachable(ports, userId);
      await countLetter(ports, ip, to);
      return letter({ userId, to, ip, locale, handle, resume });
    },

    ask: ({ userId, locale, by }) =>
      db.transact(async () => {
        const { user, to } = await reachable(ports, userId);
        const ttl = settings.verificationLink;
        const { link, code } = await proofs.issue({ userId, purpose, email: to, ttl });
        const params = { link: links.verify(link), code, minutes: minutes(ttl) };
        await mail.send('verify-address', { to, locale: user.locale ?? locale, params });
        await events.record({ type: 'credential.verification_requested', ...by, subject: userId });
      }),

    async sendTo({ email, ip, locale, handle }) {
      if (!isEmail(email)) throw new Refusal('user.email_malformed', { kind: 'invalid' });
      await countLetter(ports, ip, email);
      await evenly(settings.evenAnswer, async () => {
        const user = await users.byEmail(email);
        if (!user?.email || !user.isUnverified()) return;
        const isTheirs = handle !== undefined && (await proofs.behind(handle, purpose))?.userId === user.id;
        await letter({ userId: user.id, to: user.email, ip, locale, handle: isTheirs ? handle : undefined });
      });
    },

    async confirmCode({ handle, code, ip, locale }) {
      const proof = await matchCode(ports, { handle, purpose, code, ip });
      await confirm(proof, { ip, locale });
      return { userId: proof.userId };
    },

    settled: (handle) => proofs.settled(handle, purpose),

    async peek({ link, handle }) {
      const proof = await proofs.peekLink(link, purpose);
      const user = await personOf(ports, proof);
      const asks = await asksOf(user, await proofs.isFrom(proof, handle));
      return { email: proof.email, expiresAt: proof.expiresAt, asks };
    },

    async confirmLink({ link, handle, current, password, ip, locale }) {
      await countCode(ports, ip);
      const proof = await proofs.peekLink(link, purpose);
      const sameBrowser = await proofs.isFrom(proof, handle);
      const user = await personOf(ports, proof);
      const asks = await asksOf(user, sameBrowser);
      if (asks === 'nothing') await confirm(proof, { ip, locale });
      else if (password) {
        await policy.demand(password, contextOf(user));
        await confirm(proof, { ip, locale }, await passwords.prepare(password));
      } else if (asks === 'password' && current) {
        if (!(await hasPassword(ports, user, { password: current, ip }))) {
          throw new Refusal('password.registered_wrong', { kind: 'invalid' });
        }
        await confirm(proof, { ip, locale });
      } else throw new Refusal('password.missing', { kind: 'invalid', details: { asks } });
      return { userId: proof.userId, sameBrowser };
    },
  };
}
