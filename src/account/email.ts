import { type AppContext, goTo, readForm } from '../platform/http/index.ts';
import { Refusal } from '../platform/index.ts';
import { emailCodePage, emailLinkPage, emailPage, emailUndoPage } from './email-pages.ts';
import { asSelf } from './own.ts';
import type { AccountPorts } from './ports.ts';
import { isDeadLink, textOf } from './request.ts';
import type { SignedIn, SignedInGuard } from './signed-in.ts';

const home = '/account/email';

/** Codes of refusals that a field can mend. */
const ofForm = ['user.email_malformed', 'email.same', 'proof.code_refused', 'proof.spent'];
const problemOf = (error: unknown): string => {
  if (error instanceof Refusal && ofForm.includes(error.code)) return error.code;
  throw error;
};

/** Why the link of the letter does nothing here. */
const stateOf = (error: unknown): 'elsewhere' | 'expired' => {
  if (error instanceof Refusal && error.code === 'email.link_elsewhere') return 'elsewhere';
  if (isDeadLink(error)) return 'expired';
  throw error;
};

/** Another address: asked for by whoever has just signed in, proved by the new one, taken back by the old one. */
export function createEmailPages(ports: AccountPorts, guard: SignedInGuard) {
  const { emailChanges, present, settings } = ports;
  const fresh = { fresh: true, back: home };
  const minutes = Math.round(settings.tokens.verificationLink / 60);
  const scopeOf = ({ session }: SignedIn) => `account ${session.uid}`;

  const undone = (ctx: AppContext, error: unknown) => {
    if (!(error instanceof Refusal) || !['email.undo_refused', 'user.email_taken'].includes(error.code)) throw error;
    present.page(ctx, emailUndoPage({ state: 'expired' }), { status: 400 });
  };

  return {
    show: asSelf(guard, async (ctx, { user }) => present.page(ctx, emailPage({ email: user.email ?? '' })), fresh),

    request: asSelf(
      guard,
      async (ctx, self) => {
        const email = textOf(readForm(ctx).email);
        const { user } = self;
        try {
          const asker = { ip: ctx.ip, locale: present.locale(ctx) };
          await emailChanges.request({ user, email, scope: scopeOf(self), ...asker });
          present.page(ctx, emailCodePage({ address: email, minutes }));
        } catch (error) {
          const problems = [{ field: 'email', code: email ? problemOf(error) : 'identifier.missing' }];
          present.page(ctx, emailPage({ email: user.email ?? '', values: { email }, problems }), { status: 422 });
        }
      },
      fresh,
    ),

    confirm: asSelf(
      guard,
      async (ctx, self) => {
        const form = readForm(ctx);
        const code = textOf(form.code);
        try {
          const asker = { ip: ctx.ip, locale: present.locale(ctx) };
          await emailChanges.confirm({ user: self.user, scope: scopeOf(self), by: { code }, ...asker });
          goTo(ctx, '/account/profile?done=email_changed');
        } catch (error) {
          const problems = [{ field: 'code', code: problemOf(error) }];
          present.page(ctx, emailCodePage({ address: textOf(form.email), minutes, problems }), { status: 422 });
        }
      },
      fresh,
    ),

    /** The link counts in the session that asked: who is sent somebody else's letter must not change an account by it. */
    async showLink(ctx: AppContext) {
      const link = textOf(ctx.query.token);
      const self = await guard.look(ctx);
      try {
        const { email } = await emailChanges.peek({ user: self?.user, scope: self && scopeOf(self), link });
        present.page(ctx, emailLinkPage({ state: 'ask', token: link, address: email }));
      } catch (error) {
        present.page(ctx, emailLinkPage({ state: stateOf(error), token: link }), { status: 400 });
      }
    },

    confirmLink: asSelf(
      guard,
      async (ctx, self) => {
        const by = { link: textOf(readForm(ctx).token) };
        try {
          const asker = { ip: ctx.ip, locale: present.locale(ctx) };
          await emailChanges.confirm({ user: self.user, scope: scopeOf(self), by, ...asker });
          goTo(ctx, '/account/profile?done=email_changed');
        } catch (error) {
          present.page(ctx, emailLinkPage({ state: stateOf(error), token: by.link }), { status: 400 });
        }
      },
      { back: home },
    ),

    async showUndo(ctx: AppContext) {
      const token = textOf(ctx.query.token);
      try {
        const { email, changedAt } = await emailChanges.peekUndo(token);
        present.page(ctx, emailUndoPage({ state: 'ask', token, address: email, when: changedAt }));
      } catch (error) {
        undone(ctx, error);
      }
    },

    async undo(ctx: AppContext) {
      try {
        const link = textOf(readForm(ctx).token);
        await emailChanges.undo({ link, ip: ctx.ip, locale: present.locale(ctx) });
        present.page(ctx, emailUndoPage({ state: 'done' }));
      } catch (error) {
        undone(ctx, error);
      }
    },
  };
}
