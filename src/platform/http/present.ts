import type { Page, Views } from '../views.ts';
import type { Locale } from '../words.ts';
import type { Csrf } from './csrf.ts';
import type { AppContext } from './state.ts';

export interface Presenter {
  /** Answers with a page, in the person's language. @param options.uiLocales the application's wish (Core 1.0, section 3.1.2.1) */
  page(ctx: AppContext, model: Page & object, options?: { status?: number; uiLocales?: string | undefined }): void;
  /** The same page as a document, for whoever sends the answer itself. */
  document(ctx: AppContext, model: Page & object, options?: { uiLocales?: string | undefined }): string;
  locale(ctx: AppContext, uiLocales?: string): Locale;
}

const yearInMilliseconds = 365 * 86_400_000;

/** Shows pages: picks the language, puts in the guard of forms and the nonce, and keeps them out of caches. */
export function createPresenter({ views, csrf, https }: { views: Views; csrf: Csrf; https: boolean }): Presenter {
  const locale: Presenter['locale'] = (ctx, uiLocales) => {
    const chosen = typeof ctx.query.lang === 'string' ? ctx.query.lang : undefined;
    if (chosen && views.locales.includes(chosen)) {
      ctx.cookies.set('lang', chosen, {
        httpOnly: true,
        sameSite: 'lax',
        secure: https,
        maxAge: yearInMilliseconds,
        signed: false,
        overwrite: true,
      });
      return chosen;
    }
    return views.negotiate({
      uiLocales: uiLocales ?? (typeof ctx.query.ui_locales === 'string' ? ctx.query.ui_locales : undefined),
      acceptLanguage: ctx.get('accept-language'),
      cookie: ctx.cookies.get('lang', { signed: false }),
    });
  };

  const document: Presenter['document'] = (ctx, model, { uiLocales } = {}) => {
    const spoken = locale(ctx, uiLocales);
    ctx.set({ 'content-language': spoken, 'cache-control': 'no-store', vary: 'Accept-Language, Cookie' });
    return views.render(model.page, model, {
      locale: spoken,
      nonce: ctx.state.nonce,
      csrf: csrf.token(ctx),
      url: ctx.method === 'GET' ? ctx.url : ctx.path,
    });
  };

  return {
    locale,
    document,
    page(ctx, model, { status = 200, ...options } = {}) {
      ctx.status = status;
      ctx.type = 'html';
      ctx.body = document(ctx, model, options);
    },
  };
}
