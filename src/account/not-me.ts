import { type AppContext, readForm } from '../platform/http/index.ts';
import { Refusal } from '../platform/index.ts';
import { notMePage } from './own-pages.ts';
import type { AccountPorts } from './ports.ts';
import { textOf } from './request.ts';

/** The link of a notice. Scanners of mail open links: a GET shows what it would do, a POST does it. */
export function createNotMePages({ notices, present }: AccountPorts) {
  const dead = (ctx: AppContext, error: unknown) => {
    if (!(error instanceof Refusal) || error.code !== 'notice.link_refused') throw error;
    present.page(ctx, notMePage({ state: 'expired' }), { status: 400 });
  };

  return {
    async show(ctx: AppContext) {
      const token = textOf(ctx.query.token);
      try {
        const { what, sentAt } = await notices.peek(token);
        present.page(ctx, notMePage({ state: 'ask', token, what, when: sentAt }));
      } catch (error) {
        dead(ctx, error);
      }
    },

    async lock(ctx: AppContext) {
      try {
        await notices.lock({ link: textOf(readForm(ctx).token), ip: ctx.ip, locale: present.locale(ctx) });
        present.page(ctx, notMePage({ state: 'done' }));
      } catch (error) {
        dead(ctx, error);
      }
    },
  };
}
