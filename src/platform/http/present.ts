import { isTimeZone } from '../time-zone.ts';
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
  /**
   * Makes this browser show pages as a person wants them, from this answer on; also before anybody is signed in. What is
   * undefined goes back to what the browser says of itself; a language once chosen stays.
   */
  wear(ctx: AppContext, look: Look): void;
}

/** How a person wants pages. */
export interface Look {
  language?: Locale | undefined;
  theme?: 'light' | 'dark' | undefined;
  /** By its IANA name. */
  timeZone?: string | undefined;
}

const yearInMilliseconds = 365 * 86_400_000;

/** Shows pages: picks the language, puts in the guard of forms and the nonce, and keeps them out of caches. */
export function createPresenter({ views, csrf, https }: { views: Views; csrf: Csrf; https: boolean }): Presenter {
  /** They decide nothing but the look, so they are plain text: whoever changes theirs sees it. */
  const keep = (ctx: AppContext, name: string, value: string | undefined): void => {
    const { worn = {} } = ctx.state as { worn?: Record<string, string | undefined> };
    Object.assign(ctx.state, { worn: { ...worn, [name]: value ?? '' } });
    if (value === undefined && ctx.cookies.get(name, { signed: false }) === undefined) return;
    ctx.cookies.set(name, value ?? null, {
      httpOnly: true,
      sameSite: 'lax',
      secure: https,
      ...(value === undefined ? {} : { maxAge: yearInMilliseconds }),
      signed: false,
      overwrite: true,
    });
  };
  /** What this answer sets counts before what the browser sent. */
  const kept = (ctx: AppContext, name: string): string | undefined =>
    (ctx.state as { worn?: Record<string, string> }).worn?.[name] ?? ctx.cookies.get(name, { signed: false });

  const locale: Presenter['locale'] = (ctx, uiLocales) => {
    const chosen = typeof ctx.query.lang === 'string' ? ctx.query.lang : undefined;
    if (chosen && views.locales.includes(chosen)) {
      keep(ctx, 'lang', chosen);
      return chosen;
    }
    return views.negotiate({
      uiLocales: uiLocales ?? (typeof ctx.query.ui_locales === 'string' ? ctx.query.ui_locales : undefined),
      acceptLanguage: ctx.get('accept-language'),
      cookie: kept(ctx, 'lang'),
    });
  };

  const document: Presenter['document'] = (ctx, model, { uiLocales } = {}) => {
    const spoken = locale(ctx, uiLocales);
    const theme = kept(ctx, 'theme');
    const timeZone = kept(ctx, 'zone');
    ctx.set({ 'content-language': spoken, 'cache-control': 'no-store', vary: 'Accept-Language, Cookie' });
    return views.render(model.page, model, {
      locale: spoken,
      nonce: ctx.state.nonce,
      csrf: csrf.token(ctx),
      theme: theme === 'light' || theme === 'dark' ? theme : undefined,
      // A cookie may hold anything, and a name that Intl does not know would throw where a date is shown.
      timeZone: timeZone && isTimeZone(timeZone) ? timeZone : undefined,
      // A path that begins with two slashes would name another host in a link.
      url: (ctx.method === 'GET' ? ctx.url : ctx.path).replace(/^\/+/, '/'),
    });
  };

  return {
    locale,
    document,
    wear(ctx, { language, theme, timeZone }) {
      if (language && views.locales.includes(language)) keep(ctx, 'lang', language);
      keep(ctx, 'theme', theme);
      keep(ctx, 'zone', timeZone);
    },
    page(ctx, model, { status = 200, ...options } = {}) {
      ctx.status = status;
      ctx.type = 'html';
      ctx.body = document(ctx, model, options);
    },
  };
}
