import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { paramsOf, parseMessage, sayMessage } from './message.ts';
import { createWords, PSEUDO_LOCALE } from './words.ts';

const dir = join(import.meta.dirname, '../../views');
const words = createWords({ dir, pseudo: true, strict: true });

describe('the catalogues', () => {
  it.each(words.locales)('%s has every message with the same parameters', (locale) => {
    const english = words.catalogue('en');
    const other = words.catalogue(locale);
    expect([...other.keys()].sort()).toEqual([...english.keys()].sort());
    for (const [code, params] of english) expect({ code, params: other.get(code) }).toEqual({ code, params });
  });

  it('addresses people as Sie', () => {
    for (const code of words.catalogue('de').keys())
      expect(words.words('de')(code)).not.toMatch(/\b(du|dein|deine|dir|dich)\b/i);
  });

  it('stays out of production with the pseudo-locale', () => {
    expect(createWords({ dir }).locales).toEqual(['en', 'de']);
  });
});

describe('negotiation', () => {
  it('puts the person before the application before the browser', () => {
    const wishes = { cookie: 'de', uiLocales: 'en', acceptLanguage: 'en' };
    expect(words.negotiate(wishes)).toBe('de');
    expect(words.negotiate({ ...wishes, cookie: undefined, uiLocales: 'fr-CA de-AT en' })).toBe('de');
    expect(words.negotiate({ acceptLanguage: 'fr;q=0.9, de-CH;q=0.8, en;q=0.1' })).toBe('de');
    expect(words.negotiate({ acceptLanguage: 'de;q=0, en;q=0.1' })).toBe('en');
  });

  it('falls back to English on nothing and nonsense', () => {
    for (const value of ['', '*', '../../etc', 'x'.repeat(5000), 'ar', '\u0000']) {
      expect(words.negotiate({ cookie: value, uiLocales: value, acceptLanguage: value })).toBe('en');
    }
    expect(words.negotiate({ uiLocales: PSEUDO_LOCALE })).toBe(PSEUDO_LOCALE);
  });
});

describe('a message', () => {
  it('counts in each language', () => {
    const say = (count: number, language = 'en') =>
      sayMessage(parseMessage('{count, plural, =0 {none} one {one thing} other {# things}}'), language, { count });
    expect([say(0), say(1), say(1234)]).toEqual(['none', 'one thing', '1,234 things']);
    expect(say(1234, 'de')).toBe('1.234 things');
  });

  it('says dates in UTC', () => {
    const when = new Date('2026-11-21T02:04:00Z');
    expect(sayMessage(parseMessage('{when, date}'), 'de', { when })).toBe('21. November 2026');
  });

  it('says durations in the largest unit that fits', () => {
    const say = (minutes: number, language = 'en') =>
      sayMessage(parseMessage('{minutes, duration}'), language, { minutes });
    expect([1, 15, 60, 90, 1440, 2880].map((minutes) => say(minutes))).toEqual([
      '1 minute',
      '15 minutes',
      '1 hour',
      '90 minutes',
      '24 hours',
      '2 days',
    ]);
    expect(say(1440, 'de')).toBe('24 Stunden');
  });

  it('knows its parameters and refuses what is not well formed', () => {
    expect(paramsOf(parseMessage('{b} {a, plural, other {{c}}}'))).toEqual(['a', 'b', 'c']);
    for (const text of ['{', '{a', '}', '{a, plural}', '{a, plural, one {x}}', '{a, plural, other {x}']) {
      expect(() => parseMessage(text)).toThrow('not well formed');
    }
  });

  it('escapes values, not its own markup', () => {
    const html = words.markup('en')('signin.continue_to', { client: '<img src=x onerror=alert(1)> & "<b>"' });
    expect(html).toBe(
      'to continue to <strong><bdi>&lt;img src=x onerror=alert(1)&gt; &amp; &quot;&lt;b&gt;&quot;</bdi></strong>',
    );
    const link = words.markup('en')('label.terms', { terms: { href: 'https://a.example/?a="><script>' } });
    expect(link).toContain('href="https://a.example/?a=&quot;&gt;&lt;script&gt;"');
  });

  it('is plain where no markup can stand', () => {
    expect(words.words('en')('signin.continue_to', { client: '<b>' })).toBe('to continue to <b>');
  });
});
