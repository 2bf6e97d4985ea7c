import { addressKey, Refusal } from '../../platform/index.ts';
import { emailKey, isEmail, type NewUser, type User } from '../../users/index.ts';
import { anonymously, byThemselves } from '../by.ts';
import { evenly } from './even.ts';
import { countLetter, minutes, send } from './letters.ts';
import type { Asker, Ports } from './ports.ts';

export type Profile = Pick<NewUser, 'name' | 'givenName' | 'familyName' | 'profile' | 'attributes'>;

/** Somebody makes an account. What they see does not tell whether the address has one already; a letter does. */
export interface Registration {
  /**
   * Makes an account that waits for its address to be proved, or tells the owner of the address that there is one:
   * the same answer after the same time. Who sends the same form once more, at the same time even, is no stranger to the
   * account that it made: its one letter stands, and what was chosen last.
   * @param input.password none for who will make a passkey once the address is proved
   * @returns the browser's handle, with which the letter's code is given to `verification`
   * @throws Refusal `registration.closed` (forbidden), `user.email_malformed`, `password.…` (invalid), `limit.exceeded`,
   *   `mail.too_many` (limited), `credential.busy` (unavailable)
   */
  register(
    input: Asker & {
      email: string;
      password?: string | undefined;
      profile?: Profile;
      termsVersion?: string | undefined;
    },
  ): Promise<{ handle: string }>;
  /** Sends the letter again, whichever it was. Throws as {@link register}. */
  again(input: Asker & { email: string; handle: string }): Promise<{ handle: string }>;
}

export function createRegistration(ports: Ports): Registration {
  const { db, clock, users, passwords, policy, proofs, events, limits, budgets, captcha, links, settings } = ports;

  const sendProof = async (user: User, { locale, handle, resume }: Asker): Promise<string> => {
    const ttl = settings.verificationLink;
    const issued = await proofs.issue({ userId: user.id, purpose: 'verify_email', email: user.email!, ttl, handle });
    const link = links.verify(issued.link, resume);
    await send(ports, 'verify-address', {
      to: user.email!,
      locale,
      params: { link, code: issued.code, minutes: minutes(ttl) },
    });
    return issued.handle;
  };

  const tellOwner = async (user: User, { locale, handle, ip }: Asker): Promise<string> => {
    await send(ports, 'account-exists', {
      to: user.email!,
      locale: user.locale ?? locale,
      params: { link: links.forgot() },
    });
    const data = { why: 'address_taken' };
    await events.record({ type: 'signin.registration_refused', ...anonymously(ip), subject: user.id, data });
    return handle ?? proofs.decoy();
  };

  /** @returns the handle, when the account waits for just this browser; undefined for all others */
  const sameAgain = async (user: User, asker: Asker, prepared: { hash: string } | undefined) => {
    const open = asker.handle ? await proofs.behind(asker.handle, 'verify_email') : undefined;
    if (open?.userId !== user.id || !user.isUnverified()) return undefined;
    if (prepared) {
      await passwords.store(user.id, prepared);
      const by = { ...byThemselves(user.id, asker.ip), subject: user.id };
      await events.record({ type: 'credential.changed', ...by, data: { kind: 'password' } });
    }
    return open.expiresAt > clock.now() ? asker.handle : sendProof(user, asker);
  };

  return {
    async register(given) {
      const { email, password, profile = {}, termsVersion, ip, locale, resume } = given;
      // Of this sign-in and this address, and so of this browser.
      const handle = resume ? proofs.handleOf(`${resume} ${emailKey(email)}`) : given.handle;
      const input = { ...given, handle };
      if (settings.registration !== 'open') throw new Refusal('registration.closed', { kind: 'forbidden' });
      if (!isEmail(email)) throw new Refusal('user.email_malformed', { kind: 'invalid' });
      if (password !== undefined)
        await policy.demand(password, { email, names: [profile.name, profile.givenName, profile.familyName] });
      await captcha.seen({ kind: 'registration', ip });
      await limits.demand(budgets.registrations, addressKey(ip));
      await countLetter(ports, ip, email);

      const make = (prepared: { hash: string } | undefined) =>
        db.transact(async () => {
          const existing = await users.byEmail(email);
          if (existing) return (await sameAgain(existing, input, prepared)) ?? tellOwner(existing, given);
          const fresh = { ...profile, email, locale, termsVersion, state: 'Unverified' } as const;
          const user = await users.create(fresh, anonymously(ip));
          const by = { ...byThemselves(user.id, ip), subject: user.id };
          await events.record({ type: 'user.registered', ...by, data: { from: 'Created', to: 'Unverified' } });
          if (prepared) {
            await passwords.store(user.id, prepared);
            await events.record({ type: 'credential.added', ...by, data: { kind: 'password' } });
          }
          return sendProof(user, input);
        });

      return evenly(settings.evenAnswer, async () => {
        const prepared = password === undefined ? undefined : await passwords.prepare(password);
        const ifTaken =
          <T>(instead: () => T) =>
          (error: unknown): T => {
            if (error instanceof Refusal && error.code === 'user.email_taken') return instead();
            throw error;
          };
        const handle = await make(prepared)
          // Somebody registered the same address at the same moment: now it is one that has an account.
          .catch(ifTaken(() => make(prepared)))
          // Nobody has it, and yet it is kept for who gave it up lately: no letter, and the same page.
          .catch(ifTaken(() => given.handle ?? proofs.decoy()));
        return { handle };
      });
    },

    async again(input) {
      await countLetter(ports, input.ip, input.email);
      await captcha.seen({ kind: 'registration', ip: input.ip });
      return evenly(settings.evenAnswer, () =>
        db.transact(async () => {
          const user = await users.byEmail(input.email);
          if (!user) return { handle: input.handle };
          const open = await proofs.behind(input.handle, 'verify_email');
          // Only who registered holds the handle; for others it is a stranger's account.
          const handle = open?.userId === user.id ? await sendProof(user, input) : await tellOwner(user, input);
          return { handle };
        }),
      );
    },
  };
}
