import { Refusal } from '../platform/index.ts';
import { isEmail } from '../users/index.ts';
import { evenly } from './even.ts';
import {
  type Asker,
  type By,
  byThemselves,
  countCode,
  countLetter,
  minutes,
  type Ports,
  personOf,
  proveAddress,
  send,
} from './journeys.ts';
import type { Proof } from './proofs.ts';

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
   * time whether one does.
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
  /** What a GET of the link shows; changes nothing. @throws Refusal `proof.link_refused` (invalid), `proof.spent`, `limit.exceeded` */
  peek(input: { link: string }): Promise<{ email: string; expiresAt: Date }>;
  /**
   * The link, by a POST.
   * @returns `sameBrowser`: it was opened where the letter was asked for, whose sign-in may go on. Elsewhere nobody is
   *   signed in by it: whoever forwards a letter must not hand over the account with it
   */
  confirmLink(input: {
    link: string;
    handle?: string | undefined;
    ip: string;
    locale: string;
  }): Promise<{ userId: string; sameBrowser: boolean }>;
}

export function createVerification(ports: Ports): Verification {
  const { db, users, proofs, events, mail, links, settings } = ports;
  const purpose = 'verify_email';

  const confirm = (proof: Proof, { ip, locale }: Pick<Asker, 'ip' | 'locale'>) =>
    db.transact(async () => {
      await proofs.use(proof);
      const user = await personOf(ports, proof);
      const by = byThemselves(user.id, ip);
      const isNew = user.may('verify');
      await proveAddress(ports, user, by);
      if (isNew) {
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
      const user = await users.byId(userId);
      if (!user?.email || user.isStopped()) throw new Refusal('user.unknown', { kind: 'missing' });
      const to = user.email;
      await countLetter(ports, ip, to);
      return letter({ userId, to, ip, locale, handle, resume });
    },

    ask: ({ userId, locale, by }) =>
      db.transact(async () => {
        const user = await users.byId(userId);
        if (!user?.email || user.isStopped()) throw new Refusal('user.unknown', { kind: 'missing' });
        const ttl = settings.verificationLink;
        const { link, code } = await proofs.issue({ userId, purpose, email: user.email, ttl });
        const params = { link: links.verify(link), code, minutes: minutes(ttl) };
        await mail.send('verify-address', { to: user.email, locale: user.locale ?? locale, params });
        await events.record({ type: 'credential.verification_requested', ...by, subject: userId });
      }),

    async sendTo({ email, ip, locale }) {
      if (!isEmail(email)) throw new Refusal('user.email_malformed', { kind: 'invalid' });
      await countLetter(ports, ip, email);
      await evenly(settings.evenAnswer, async () => {
        const user = await users.byEmail(email);
        if (user?.email && user.isUnverified()) await letter({ userId: user.id, to: user.email, ip, locale });
      });
    },

    async confirmCode({ handle, code, ip, locale }) {
      await countCode(ports, ip);
      const proof = await proofs.matchCode({ handle, purpose, code });
      await confirm(proof, { ip, locale });
      return { userId: proof.userId };
    },

    settled: (handle) => proofs.settled(handle, purpose),

    async peek({ link }) {
      const proof = await proofs.peekLink(link, purpose);
      await personOf(ports, proof);
      return { email: proof.email, expiresAt: proof.expiresAt };
    },

    async confirmLink({ link, handle, ip, locale }) {
      await countCode(ports, ip);
      const proof = await proofs.peekLink(link, purpose);
      const sameBrowser = await proofs.isFrom(proof, handle);
      await confirm(proof, { ip, locale });
      return { userId: proof.userId, sameBrowser };
    },
  };
}
