import { letterCookieName } from '../credentials/index.ts';
import type { Problem } from '../platform/form.ts';
import { type AppContext, readForm } from '../platform/http/index.ts';
import { Refusal } from '../platform/index.ts';
import { sentPage, verifyConfirmPage } from './pages.ts';
import type { AccountPorts } from './ports.ts';
import { isDeadLink, resumePath, textOf } from './request.ts';

/** What a form here can mend. */
const isOfForm = (error: unknown): error is Refusal => error instanceof Refusal && error.code.startsWith('password.');

/** The link of the letter that proves an address. Opened in another browser than the one that asked, it asks for more. */
export function createVerifyPages({ verification, policy, present, settings }: AccountPorts) {
  const minutes = Math.round(settings.tokens.verificationLink / 60);
  const { minimum: min, maximum: max } = policy.lengths();
  const expired = (ctx: AppContext) => present.page(ctx, verifyConfirmPage({ state: 'expired' }), { status: 400 });
  const handleOf = (ctx: AppContext) => ctx.cookies.get(letterCookieName(settings.issuer), { signed: false });

  const ask = async (ctx: AppContext, link: string, resume: string, problems: Problem[] = []) => {
    const { email, asks } = await verification.peek({ link, handle: handleOf(ctx) });
    const more = resume ? { resume } : {};
    const page = verifyConfirmPage({ state: 'ask', token: link, address: email, asks, min, problems, ...more });
    present.page(ctx, page, problems.length > 0 ? { status: 422 } : {});
  };

  return {
    async show(ctx: AppContext) {
      try {
        await ask(ctx, textOf(ctx.query.token), textOf(ctx.query.resume));
      } catch (error) {
        if (!isDeadLink(error)) throw error;
        expired(ctx);
      }
    },

    async confirm(ctx: AppContext) {
      const form = readForm(ctx);
      const link = textOf(form.token);
      const isNew = form.password !== undefined;
      try {
        await verification.confirmLink({
          link,
          handle: handleOf(ctx),
          current: form.current?.slice(0, 1024),
          password: form.password?.slice(0, 1024),
          ip: ctx.ip,
          locale: present.locale(ctx),
        });
        const next = resumePath(form.resume);
        present.page(ctx, verifyConfirmPage({ state: 'done', ...(next ? { next } : {}) }));
      } catch (error) {
        if (isDeadLink(error)) return expired(ctx);
        if (!isOfForm(error)) throw error;
        const field = isNew ? 'password' : 'current';
        await ask(ctx, link, textOf(form.resume), [{ field, code: error.code, params: { min, max } }]);
      }
    },

    /** A new letter in place of a dead one. Whether the address waits for it, the page does not tell. */
    async send(ctx: AppContext) {
      const email = textOf(readForm(ctx).email);
      try {
        const asker = { ip: ctx.ip, locale: present.locale(ctx), handle: handleOf(ctx) };
        await verification.sendTo({ ...asker, email });
        present.page(ctx, sentPage({ address: email, what: 'verify', minutes }));
      } catch (error) {
        if (!(error instanceof Refusal) || error.kind !== 'invalid') throw error;
        const problems = [{ field: 'email', code: email ? error.code : 'identifier.missing' }];
        present.page(ctx, verifyConfirmPage({ state: 'expired', values: { email }, problems }), { status: 422 });
      }
    },
  };
}
