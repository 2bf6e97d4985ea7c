import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Log } from './log.ts';
import { mirrored, type Params, type Part, paramsOf, parseMessage, sayMessage } from './message.ts';

/** A language the pages speak: the name of a file in `views/messages`, or the pseudo-locale. */
export type Locale = string;

/** A word by its code, with its parameters. */
export type Say = (code: string, params?: Params) => string;

/** The pseudo-locale that runs right to left: English, mirrored. Never in production. */
export const PSEUDO_LOCALE = 'ar-XB';
const FALLBACK = 'en';

export interface Wishes {
  /** OpenID Connect's `ui_locales`: BCP 47 tags, best first, separated by spaces. */
  uiLocales?: string | undefined;
  /** The header of that name. */
  acceptLanguage?: string | undefined;
  /** What the person chose with the language switch. */
  cookie?: string | undefined;
}

export interface Words {
  locales: Locale[];
  /** The best language we speak. A choice made by the person outranks the application's, that outranks the browser's. */
  negotiate(wishes: Wishes): Locale;
  /** Plain text: whoever shows it escapes it. @param timeZone of the dates in it, UTC without one */
  words(locale: Locale, timeZone?: string): Say;
  /** Markup: values are escaped; `<b>` and links (a parameter `{ href }` named as its tag) may stand in the message. */
  markup(locale: Locale, timeZone?: string): Say;
  has(code: string): boolean;
  direction(locale: Locale): 'ltr' | 'rtl';
  /** The tag for `lang` and Intl: English for the pseudo-locale, whose words are English. */
  language(locale: Locale): string;
  /** Codes with their parameters, for the test that holds the catalogues together. */
  catalogue(locale: Locale): Map<string, string[]>;
}

/** Reads the catalogues once; a message that is not well formed stops the start. `strict`: an unknown code throws (tests). */
export function createWords(options: { dir: string; log?: Log; pseudo?: boolean; strict?: boolean }): Words {
  const catalogues = readCatalogues(options.dir);
  const english = catalogues.get(FALLBACK);
  if (!english) throw new Error(`No messages/${FALLBACK}.json in ${options.dir}.`);
  if (options.pseudo) {
    catalogues.set(PSEUDO_LOCALE, new Map([...english].map(([code, parts]) => [code, mirrored(parts)])));
  }
  const locales = [...catalogues.keys()];
  const language = (locale: Locale) => (locale === PSEUDO_LOCALE ? FALLBACK : locale);
  const missed = new Set<string>();
  const untaggedOnes = new WeakMap<Part[], Part[]>();

  function plain(parts: Part[]): Part[] {
    const known = untaggedOnes.get(parts) ?? untagged(parts);
    untaggedOnes.set(parts, known);
    return known;
  }

  function find(locale: Locale, code: string): Part[] {
    const parts = catalogues.get(locale)?.get(code) ?? english?.get(code);
    if (parts) return parts;
    if (options.strict) throw new Error(`No message has the code ${code}.`);
    if (!missed.has(code)) options.log?.warn({ code, locale }, 'no message has this code');
    missed.add(code);
    return [{ kind: 'text', text: code }];
  }

  return {
    locales,
    negotiate: (wishes) => negotiate(locales, wishes),
    words: (locale, timeZone) => (code, params) =>
      sayMessage(plain(find(locale, code)), language(locale), params ?? {}, { timeZone }),
    markup: (locale, timeZone) => (code, params) =>
      linked(
        sayMessage(find(locale, code), language(locale), params ?? {}, { shielded: escapeHtml, timeZone }),
        params ?? {},
      ),
    has: (code) => english.has(code),
    direction: (locale) => (/^(ar|fa|he|ur)\b/.test(locale) ? 'rtl' : 'ltr'),
    language,
    catalogue: (locale) => new Map([...(catalogues.get(locale) ?? [])].map(([code, parts]) => [code, paramsOf(parts)])),
  };
}

/** What an operator calls something, in the language that comes closest; plain text. */
export const ownWords = (said: Record<string, string>, locale: Locale): string =>
  said[locale] ?? said[locale.split('-')[0]!] ?? said[FALLBACK] ?? Object.values(said)[0] ?? '';

export function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

/** Plain text has no tags; what stands in a value stays. */
function untagged(parts: Part[]): Part[] {
  return parts.map((part) => (part.kind === 'text' ? { ...part, text: part.text.replace(/<\/?[a-z]+>/g, '') } : part));
}

/** `<b>` becomes strong, `<terms>` the link that the parameter `terms: { href }` describes. */
function linked(text: string, params: Params): string {
  let html = text.replaceAll('<b>', '<strong><bdi>').replaceAll('</b>', '</bdi></strong>');
  for (const [name, value] of Object.entries(params)) {
    const href = (value as { href?: unknown } | null | undefined)?.href;
    if (typeof href !== 'string') continue;
    html = html
      .replaceAll(`<${name}>`, `<a href="${escapeHtml(href)}" target="_blank" rel="noopener">`)
      .replaceAll(`</${name}>`, '</a>');
  }
  return html;
}

function readCatalogues(dir: string): Map<Locale, Map<string, Part[]>> {
  const files = readdirSync(join(dir, 'messages')).filter((file) => file.endsWith('.json'));
  // English first: it is what the rest is measured by and what a browser without a known language gets.
  files.sort((a, b) => Number(b === `${FALLBACK}.json`) - Number(a === `${FALLBACK}.json`) || a.localeCompare(b));
  return new Map(
    files.map((file) => {
      const messages = JSON.parse(readFileSync(join(dir, 'messages', file), 'utf8')) as Record<string, string>;
      return [
        basename(file, '.json'),
        new Map(Object.entries(messages).map(([code, text]) => [code, parseMessage(text)])),
      ];
    }),
  );
}

function negotiate(locales: Locale[], { cookie, uiLocales, acceptLanguage }: Wishes): Locale {
  const wanted = [cookie ?? '', ...(uiLocales ?? '').split(/\s+/), ...accepted(acceptLanguage ?? '')];
  for (const tag of wanted) {
    const wish = tag.toLowerCase();
    if (!/^[a-z]{2,8}(-[a-z0-9]{1,8})*$/.test(wish)) continue;
    const exact = locales.find((locale) => locale.toLowerCase() === wish);
    if (exact) return exact;
    const related = locales.find((locale) => locale !== PSEUDO_LOCALE && locale.toLowerCase() === wish.split('-')[0]);
    if (related) return related;
  }
  return FALLBACK;
}

/** Accept-Language, best first (RFC 9110 section 12.5.4). The pseudo-locale is not for browsers that want Arabic. */
function accepted(header: string): string[] {
  return header
    .slice(0, 1000)
    .split(',')
    .map((item) => {
      const [tag = '', ...rest] = item.trim().split(';');
      const weight = rest.map((param) => /^\s*q=([\d.]+)/.exec(param)?.[1]).find(Boolean);
      return { tag, quality: weight === undefined ? 1 : Number(weight) };
    })
    .filter(({ tag, quality }) => tag && quality > 0)
    .sort((a, b) => b.quality - a.quality)
    .map(({ tag }) => tag);
}
