import { type AppContext, readForm } from '../platform/http/index.ts';
import { Refusal } from '../platform/index.ts';
import { verifyConfirmPage } from './pages.ts';
import type { AccountPorts } from './ports.ts';
import { resumePath, textOf } from './request.ts';

const isDeadLink = (error: unknown): boolean =>
  error instanceof Refusal && ['proof.link_refused', 'proof.spent'].includes(error.code);

/** The link of the letter that proves an address. */
export function createVerifyPages({ verification, present }: AccountPorts) {
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
  };
}
