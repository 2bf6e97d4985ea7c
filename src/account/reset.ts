import type { Typed } from '../platform/form.ts';
import { type AppContext, readForm } from '../platform/http/index.ts';
import { Refusal } from '../platform/index.ts';
import { forgotPage, resetPage, sentPage } from './pages.ts';
import type { AccountPorts } from './ports.ts';
import { isDeadLink, resumePath, textOf } from './request.ts';

/** A new password by letter, with no sign-in under way: also the link of an invitation. */
export function createResetPages({ resets, captcha, policy, present, settings }: AccountPorts) {
  const { minimum: minLength } = policy.lengths();
  const minutes = Math.round(settings.tokens.resetLink / 60);
  const kind = 'forgot' as const;
  const isSuspicious = (ctx: AppContext) => captcha.required({ kind, ip: ctx.ip });
  const forgotten = async (ctx: AppContext, typed: Typed = {}, status = 200) => {
    const challenge = (await isSuspicious(ctx)) ? await captcha.challenge() : undefined;
    present.page(ctx, forgotPage({ ...typed, captcha: challenge }), { status });
  };
  const dead = (ctx: AppContext) =>
    present.page(ctx, resetPage({ token: '', minLength, state: 'expired' }), { status: 400 });

  return {
    showForgot: (ctx: AppContext) => forgotten(ctx),

    async forgot(ctx: AppContext) {
      const form = readForm(ctx);
      const email = textOf(form.email);
      try {
        if (await isSuspicious(ctx)) await captcha.verify(form, ctx.ip);
        await resets.request({ email, ip: ctx.ip, locale: present.locale(ctx) });
        present.page(ctx, sentPage({ address: email, what: 'reset', minutes }));
      } catch (error) {
        if (!(error instanceof Refusal) || error.kind !== 'invalid') throw error;
        const field = error.code.startsWith('captcha.') ? 'captcha' : 'email';
        await forgotten(ctx, { values: { email }, problems: [{ field, code: error.code }] }, 422);
      }
    },

    async show(ctx: AppContext) {
      const token = textOf(ctx.query.token);
      try {
        const { email } = await resets.peek({ link: token });
        const resume = textOf(ctx.query.resume);
        present.page(ctx, resetPage({ token, minLength, identifier: email, ...(resume ? { resume } : {}) }));
      } catch (error) {
        if (!isDeadLink(error)) throw error;
        dead(ctx);
      }
    },

    async complete(ctx: AppContext) {
      const form = readForm(ctx);
      const token = textOf(form.token);
      try {
        await resets.complete({
          by: { link: token },
          password: (form.password ?? '').slice(0, 1024),
          ip: ctx.ip,
          locale: present.locale(ctx),
        });
        const next = resumePath(form.resume);
        present.page(ctx, resetPage({ token: '', minLength, state: 'done', ...(next ? { next } : {}) }));
      } catch (error) {
        if (isDeadLink(error)) return dead(ctx);
        if (!(error instanceof Refusal) || !error.code.startsWith('password.')) throw error;
        const { minimum: min, maximum: max } = policy.lengths();
        const { email } = await resets.peek({ link: token });
        present.page(
          ctx,
          resetPage({
            token,
            minLength,
            identifier: email,
            problems: [{ field: 'password', code: error.code, params: { min, max } }],
          }),
          { status: 422 },
        );
      }
    },
  };
}
