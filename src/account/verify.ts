import { type AppContext, readForm } from '../platform/http/index.ts';
import { Refusal } from '../platform/index.ts';
import { sentPage, verifyConfirmPage } from './pages.ts';
import type { AccountPorts } from './ports.ts';
import { resumePath, textOf } from './request.ts';

const isDeadLink = (error: unknown): boolean =>
  error instanceof Refusal && ['proof.link_refused', 'proof.spent'].includes(error.code);

/** The link of the letter that proves an address. */
export function createVerifyPages({ verification, present, settings }: AccountPorts) {
  const minutes = Math.round(settings.tokens.verificationLink / 60);
  const expired = (ctx: AppContext) => present.page(ctx, verifyConfirmPage({ state: 'expired' }), { status: 400 });

  return {
    async show(ctx: AppContext) {
      const link = textOf(ctx.query.token);
      try {
        const { email } = await verification.peek({ link, ip: ctx.ip });
        const resume = textOf(ctx.query.resume);
        present.page(
          ctx,
          verifyConfirmPage({ state: 'ask', token: link, address: email, ...(resume ? { resume } : {}) }),
        );
      } catch (error) {
        if (!isDeadLink(error)) throw error;
        expired(ctx);
      }
    },

    async confirm(ctx: AppContext) {
      const form = readForm(ctx);
      try {
        await verification.confirmLink({ link: textOf(form.token), ip: ctx.ip, locale: present.locale(ctx) });
        const next = resumePath(form.resume);
        present.page(ctx, verifyConfirmPage({ state: 'done', ...(next ? { next } : {}) }));
      } catch (error) {
        if (!isDeadLink(error)) throw error;
        expired(ctx);
      }
    },

    /** A new letter in place of a dead one. Whether the address waits for it, the page does not tell. */
    async send(ctx: AppContext) {
      const email = textOf(readForm(ctx).email);
      try {
        await verification.sendTo({ email, ip: ctx.ip, locale: present.locale(ctx) });
        present.page(ctx, sentPage({ address: email, what: 'verify', minutes }));
      } catch (error) {
        if (!(error instanceof Refusal) || error.kind !== 'invalid') throw error;
        const problems = [{ field: 'email', code: email ? error.code : 'identifier.missing' }];
        present.page(ctx, verifyConfirmPage({ state: 'expired', values: { email }, problems }), { status: 422 });
      }
    },
  };
}
