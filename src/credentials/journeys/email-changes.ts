import { Refusal, type Vault } from '../../platform/index.ts';
import { emailKey, type FormerAddresses, isEmail, type User } from '../../users/index.ts';
import { byThemselves } from '../by.ts';
import type { Notices } from '../notices.ts';
import type { Proof } from '../proofs.ts';
import { evenly } from './even.ts';
import { countLetter, minutes, send } from './letters.ts';
import type { Asker, Ports } from './ports.ts';
import { countCode, matchCode } from './proving.ts';

/**
 * A person takes another address.
 *
 * ```
 *  request ──letter to the new one──▶ code or link, in the session that asked ──▶ changed ──letter to the old one──▶ undo
 * ```
 *
 * Nothing but a letter tells whether the new address has an account already. Sessions and remembered devices stay: the
 * person has just proved who they are. The old address has the last word for a while.
 */
export interface EmailChanges {
  /**
   * Sends code and link to the new address; to one that is taken a letter that says so. The same answer after the same time.
   * @param input.scope the session that asks: code and link count nowhere else
   * @throws Refusal `user.email_malformed`, `email.same` (invalid), `limit.exceeded`, `mail.too_many` (limited)
   */
  request(input: Asker & { user: User; email: string; scope: string }): Promise<void>;
  /**
   * By code or link.
   * @throws Refusal `proof.code_refused`, `proof.link_refused`, `email.link_elsewhere` (invalid), `proof.spent` (conflict): the
   *   address may have been taken meanwhile, `limit.exceeded` (limited)
   */
  confirm(
    input: Pick<Asker, 'ip' | 'locale'> & { user: User; scope: string; by: { code: string } | { link: string } },
  ): Promise<void>;
  /**
   * What a GET of the link shows; changes nothing.
   * @param input.user whoever is signed in here, and `scope` by which session
   * @throws Refusal `proof.link_refused` (invalid): it is no longer good; `email.link_elsewhere` (invalid): it is, but not here
   */
  peek(input: {
    user?: Pick<User, 'id'> | undefined;
    scope?: string | undefined;
    link: string;
  }): Promise<{ email: string }>;
  /**
   * Tells the address before of a change by somebody else than the person, in the open transaction: its reader can take it back
   * in the same way. So no administrator takes an account over unseen by giving it an address of their own first.
   */
  tellFormer(input: { user: User; before: string; locale: string }): Promise<void>;
  /** What a GET of the way back shows; changes nothing. @throws Refusal `email.undo_refused` (invalid) */
  peekUndo(link: string): Promise<{ email: string; changedAt: Date }>;
  /**
   * It was not the owner: the old address is the account's again, and the account is locked as by any notice: whoever
   * changed it was signed in.
   * @throws Refusal `email.undo_refused` (invalid), `user.email_taken` (conflict)
   */
  undo(input: { link: string; ip: string; locale: string }): Promise<void>;
}

const purpose = 'change_email' as const;

export function createEmailChanges(
  ports: Ports & {
    vault: Pick<Vault, 'mac'>;
    formerAddresses: FormerAddresses;
    notices: Ports['notices'] & Pick<Notices, 'lockOut' | 'sendRecovery'>;
    /** Seconds for which a change can be taken back. */
    undoSeconds: number;
  },
): EmailChanges {
  const { db, users, proofs, events, mail, links, settings, vault, formerAddresses, notices, undoSeconds } = ports;
  const handleOf = (scope: string) => vault.mac(scope, 'email_change');

  const isTaken = async (email: string, userId: string): Promise<boolean> =>
    (await users.byEmail(email)) !== undefined || (await formerAddresses.isKept(email, userId));

  const ask = async ({ user, email, ip, locale, scope }: Parameters<EmailChanges['request']>[0]): Promise<void> => {
    const spoken = user.locale ?? locale;
    const by = byThemselves(user.id, ip);
    await events.record({ type: 'user.email_change_requested', ...by, subject: user.id });
    if (await isTaken(email, user.id)) {
      // What an earlier letter carries must not go on working either: that it does would tell.
      await proofs.revoke(user.id, purpose);
      return send(ports, 'address-taken', { to: email, locale: spoken, params: { link: links.forgot() } });
    }
    const ttl = settings.verificationLink;
    const issued = await proofs.issue({ userId: user.id, purpose, email, ttl, handle: handleOf(scope) });
    const params = { link: links.changeEmail(issued.link), code: issued.code, minutes: minutes(ttl) };
    await send(ports, 'change-address', { to: email, locale: spoken, params });
  };

  const tellFormer: EmailChanges['tellFormer'] = async ({ user, before, locale }) => {
    const token = await formerAddresses.keep({ userId: user.id, email: before, seconds: undoSeconds });
    await mail.send('address-changed', {
      to: before,
      locale: user.locale ?? locale,
      timeZone: user.profile.zoneinfo,
      params: { when: ports.clock.now(), link: links.undoEmail(token), minutes: minutes(undoSeconds) },
    });
  };

  const change = (user: User, proof: Proof, { ip, locale }: Pick<Asker, 'ip' | 'locale'>) =>
    db
      .transact(async () => {
        await proofs.use(proof);
        const by = byThemselves(user.id, ip);
        let before: string | null | undefined;
        const at = ports.clock.now();
        await users.update(user.id, by, (known) => {
          before = known.email;
          known.changeEmail(proof.email, { at }, { verified: true });
        });
        await proofs.revoke(user.id);
        await events.record({ type: 'user.email_changed', ...by, subject: user.id });
        if (before) await tellFormer({ user, before, locale });
      })
      .catch((error: unknown) => {
        // Somebody was faster. To say so would tell that there is an account.
        if (error instanceof Refusal && ['user.email_taken', 'user.user_name_taken'].includes(error.code))
          throw new Refusal('proof.spent', { kind: 'conflict', cause: error });
        throw error;
      });

  /** The link's proof, if it was asked for in this session by this person: a letter sent on must not change another's account. */
  const ownProof = async (
    user: Pick<User, 'id'> | undefined,
    scope: string | undefined,
    link: string,
  ): Promise<Proof> => {
    const proof = await proofs.peekLink(link, purpose);
    if (!user || scope === undefined || proof.userId !== user.id || !(await proofs.isFrom(proof, handleOf(scope))))
      throw new Refusal('email.link_elsewhere', { kind: 'invalid' });
    return proof;
  };

  return {
    async request(input) {
      const { user, email, ip } = input;
      if (!isEmail(email)) throw new Refusal('user.email_malformed', { kind: 'invalid' });
      if (user.email && emailKey(email) === emailKey(user.email)) throw new Refusal('email.same', { kind: 'invalid' });
      await countLetter(ports, ip, email);
      await evenly(settings.evenAnswer, () => db.transact(() => ask(input)));
    },

    async confirm({ user, scope, by, ip, locale }) {
      if ('link' in by) await countCode(ports, ip);
      const proof =
        'code' in by
          ? await matchCode(ports, { handle: handleOf(scope), purpose, code: by.code, ip })
          : await ownProof(user, scope, by.link);
      if (proof.userId !== user.id) throw new Refusal('proof.code_refused', { kind: 'invalid' });
      await change(user, proof, { ip, locale });
    },

    async peek({ user, scope, link }) {
      const { email } = await ownProof(user, scope, link);
      return { email };
    },

    tellFormer,
    peekUndo: (link) => formerAddresses.peek(link),

    async undo({ link, ip, locale }) {
      const user = await db.transact(async () => {
        const { userId, email, changedAt } = await formerAddresses.take(link);
        const by = { actor: { kind: 'anonymous' as const }, ip, reason: 'email.undone' };
        await users.update(userId, by, (known) =>
          known.changeEmail(email, { at: ports.clock.now() }, { verified: true }),
        );
        await events.record({ type: 'user.email_changed', ...by, subject: userId });
        return notices.lockOut({ userId, since: changedAt, ip });
      });
      if (user) await notices.sendRecovery(user, { ip, locale });
    },
  };
}
