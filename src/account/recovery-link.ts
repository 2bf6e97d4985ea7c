import { type AppContext, readForm } from '../platform/http/index.ts';
import { Refusal } from '../platform/index.ts';
import { recoveryLinkPage } from './codes-pages.ts';
import type { AccountPorts } from './ports.ts';
import { textOf } from './request.ts';

/** The link an administrator hands to somebody who has lost every second factor. A GET shows what a POST would do. */
export function createRecoveryLinkPages({ recoveryLinks, present }: AccountPorts) {
  const expired = (ctx: AppContext) => present.page(ctx, recoveryLinkPage({ state: 'expired' }), { status: 400 });

  const show = async (ctx: AppContext, token: string, status = 200) => {
    try {
      const { worksFrom, waiting } = await recoveryLinks.peek(token);
      present.page(ctx, recoveryLinkPage({ state: waiting ? 'waiting' : 'ask', token, worksFrom }), { status });
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== 'recovery.link_refused') throw error;
      expired(ctx);
    }
  };

  return {
    show: (ctx: AppContext) => show(ctx, textOf(ctx.query.token)),

    async use(ctx: AppContext) {
      const link = textOf(readForm(ctx).token);
      try {
        await recoveryLinks.use({ link, ip: ctx.ip, locale: present.locale(ctx) });
        present.page(ctx, recoveryLinkPage({ state: 'done' }));
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        if (error.code === 'recovery.too_early') return show(ctx, link, 409);
        if (error.code !== 'recovery.link_refused') throw error;
        expired(ctx);
      }
    },
  };
}
