import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Eta } from 'eta';
import { type Assets, createAssets } from './assets.ts';
import type { Branding, BrandingInput } from './branding.ts';
import type { Problem } from './form.ts';
import { languageName } from './formats.ts';
import type { Log } from './log.ts';
import type { Params } from './message.ts';
import { createRebranding } from './rebranding.ts';
import { createWords, escapeHtml, type Locale, ownWords, PSEUDO_LOCALE, type Say, type Wishes } from './words.ts';

/** What a page needs to know of the request it answers. */
export interface PageContext {
  locale: Locale;
  /** Of this response's Content-Security-Policy. */
  nonce: string;
  /** The value of the hidden field `csrf` in every form of ours. */
  csrf: string;
  /** Path and query of this page: where the language switch leads, with `lang` added. */
  url: string;
  /** Forces one scheme; the person's own otherwise. */
  theme?: 'light' | 'dark' | undefined;
  /** Of the dates on the page, by its IANA name; UTC without one. */
  timeZone?: string | undefined;
  /** What an application changes of the look while one signs in to it. */
  clientBranding?: Partial<BrandingInput> | undefined;
}

export interface Letter {
  subject: string;
  text: string;
  html: string;
}

/** What a view-model function of a door hands over. */
export interface Page {
  /** The template, such as `signin/identifier`. */
  page: string;
  /** Code of the words for the title of the tab. */
  title: string;
  titleParams?: Params;
  /**
   * Where the language switch leads, when that is not the page's own address: the answer to a form has none that can be
   * fetched. `false` for what is shown only once.
   */
  languageUrl?: string | false;
}

export interface Views {
  /** The whole HTML document. */
  render(page: string, model: object, context: PageContext): string;
  /** A letter of `views/mail/<letter>`, ready to be sent. The subject is one line whatever the parameters hold. */
  renderLetter(letter: string, params: Params, locale: Locale, timeZone?: string): Letter;
  locales: Locale[];
  /** The best language for a person: their own choice, then the application's wish, then the browser's. */
  negotiate(wishes: Wishes): Locale;
  words(locale: Locale, timeZone?: string): Say;
  /** Serves the stylesheet and scripts. */
  assets: Assets;
}

export interface ViewsOptions {
  /** The folder `views`. */
  dir: string;
  /** What it is, or how to find out: the wizard changes it while we run. */
  branding: Branding | (() => Branding);
  log?: Log | undefined;
  /** Templates compiled once at the start, no pseudo-locale. */
  production?: boolean | undefined;
  /** Unknown message codes throw: for tests. */
  strict?: boolean | undefined;
}

/** The pages' renderer: eta with escaping on, one stylesheet, words by code. */
export function createViews(options: ViewsOptions): Views {
  const { dir, log, production = false, strict = false } = options;
  const assets = createAssets({ dir: join(dir, 'assets'), fresh: !production });
  const words = createWords({ dir, pseudo: !production, strict, ...(log ? { log } : {}) });
  const shared = { autoEscape: true, cache: production, cacheFilepaths: production, debug: !production };
  // At hand in every template: t says words, th those with markup in them, own those of the operator, has asks for some.
  const eta = new Eta({
    ...shared,
    views: dir,
    functionHeader: 'const { t, th, own, has, problem, attributes, asset } = it;',
  });
  const plain = new Eta({
    ...shared,
    views: dir,
    autoEscape: false,
    autoTrim: false,
    functionHeader: 'const { t, th, has } = it;',
  });
  if (production) precompile(eta, dir);

  const branding = () => (typeof options.branding === 'function' ? options.branding() : options.branding);
  const branded = createRebranding(log);

  /** What is wrong, in words; a reason nobody has put into words yet is still an answer, and a line in the log. */
  const problemIn = (locale: Locale) => {
    const say = words.words(locale);
    return ({ code, params }: Problem) => {
      if (strict || words.has(`problem.${code}`)) return say(`problem.${code}`, params);
      log?.warn({ problem: code }, 'no words for this problem');
      return say('problem.other');
    };
  };

  return {
    locales: words.locales,
    negotiate: words.negotiate,
    words: words.words,
    assets,
    render(page, model, context) {
      const { locale, timeZone } = context;
      return eta.render(`/${page}`, {
        ...model,
        ...context,
        page,
        t: words.words(locale, timeZone),
        th: words.markup(locale, timeZone),
        own: (said: Record<string, string>) => ownWords(said, locale),
        has: words.has,
        problem: problemIn(locale),
        attributes,
        asset: assets.url,
        lang: words.language(locale),
        dir: words.direction(locale),
        languages: languagesOf(words.locales, context, (model as Partial<Page>).languageUrl),
        brand: branded(branding(), context.clientBranding),
      });
    },
    renderLetter(letter, params, locale, timeZone) {
      const model = {
        ...params,
        t: words.words(locale, timeZone),
        th: words.markup(locale, timeZone),
        has: words.has,
        lang: words.language(locale),
        dir: words.direction(locale),
        brand: branding(),
        params: { organisation: branding().name, ...params },
      };
      const folder = `/mail/${letter}`;
      return {
        subject: oneLine(plain.render(`${folder}/subject`, model)),
        text: `${plain
          .render(`${folder}/text`, model)
          .replace(/\n{3,}/g, '\n\n')
          .trim()}\n`,
        html: eta.render(`${folder}/html`, model),
      };
    },
  };
}

/** Attributes of an element, escaped; those without a value are left out. */
function attributes(values: Record<string, unknown>): string {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined && value !== false && value !== null)
    .map(([name, value]) => (value === true ? ` ${name}` : ` ${name}="${escapeHtml(String(value))}"`))
    .join('');
}

/** What follows a line break in a header would be a header of its own (CWE-93); a name must not bring one. */
function oneLine(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}

function precompile(eta: Eta, dir: string): void {
  for (const entry of readdirSync(dir, { recursive: true }) as string[]) {
    if (!entry.endsWith('.eta') || !statSync(join(dir, entry)).isFile()) continue;
    const name = `/${relative(dir, join(dir, entry))
      .replaceAll('\\', '/')
      .replace(/\.eta$/, '')}`;
    const filepath = eta.resolvePath?.call(eta, name, {});
    if (filepath && existsSync(filepath))
      eta.templatesSync.define(filepath, eta.compile(eta.readFile?.call(eta, filepath) ?? '', { filepath }));
  }
}

function languagesOf(locales: Locale[], { locale, url: own }: PageContext, instead?: string | false) {
  if (instead === false) return [];
  const url = instead ?? own;
  return locales.map((code) => {
    // A request for `//host` or `/\host` must not become a link to another house.
    const [path = '', query = ''] = url.split('?');
    const params = new URLSearchParams(query);
    params.set('lang', code);
    const name = code === PSEUDO_LOCALE ? 'RTL' : languageName(code);
    return { code, name, current: code === locale, href: `${path.replace(/^[/\\]+/, '/')}?${params}` };
  });
}
