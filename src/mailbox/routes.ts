import Router from '@koa/router';
import type { DevelopmentMailbox, MailboxLetter } from '../mail/index.ts';
import type { AppContext, Presenter } from '../platform/http/index.ts';
import { Refusal } from '../platform/index.ts';
import { letterPage, mailboxPage } from './pages.ts';

/**
 * A letter's markup comes from templates filled with what strangers typed: it may show itself and do nothing. No
 * script, no form, no request but for inline pictures, an origin of its own, framed by our page only.
 */
const letterPolicy =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox";

/** @throws Error in production */
export function createMailbox(deps: {
  mailbox: DevelopmentMailbox;
  present: Pick<Presenter, 'page'>;
  settings: { mode: string };
}): Router {
  const { mailbox, present, settings } = deps;
  if (settings.mode === 'production') throw new Error('the mailbox page is for development only');
  const router = new Router();

  router.get('/dev/mailbox', async (ctx) => {
    const letters = await mailbox.list({ to: asked(ctx.query.to) });
    present.page(ctx as unknown as AppContext, mailboxPage({ letters: letters.map(shown) }));
  });

  // For tests: waits for nobody, newest first.
  router.get('/dev/mailbox.json', async (ctx) => {
    ctx.set('cache-control', 'no-store');
    ctx.body = { letters: await mailbox.list({ to: asked(ctx.query.to) }) };
  });

  router.get('/dev/mailbox/:id', async (ctx) => {
    const letter = await find(ctx.params.id);
    present.page(ctx as unknown as AppContext, letterPage({ ...shown(letter), text: letter.text }));
  });

  router.get('/dev/mailbox/:id/html', async (ctx) => {
    const { html } = await find(ctx.params.id);
    ctx.set({
      'content-security-policy': letterPolicy,
      'x-frame-options': 'SAMEORIGIN',
      'cache-control': 'no-store',
    });
    ctx.type = 'html';
    ctx.body = html;
  });

  const find = async (id: string | undefined): Promise<MailboxLetter> => {
    const letter = await mailbox.find(id ?? '');
    if (!letter) throw new Refusal('mailbox.unknown', { kind: 'missing' });
    return letter;
  };

  return router;
}

const shown = ({ id, to, subject, receivedAt }: MailboxLetter) => ({ id, to, subject, sentAt: receivedAt });

/** Only ever one text, however often the parameter was given. */
const asked = (to: string | string[] | undefined): string | undefined => {
  const text = Array.isArray(to) ? to[0] : to;
  return text?.trim() ? text.toWellFormed().replaceAll('\0', '') : undefined;
};
