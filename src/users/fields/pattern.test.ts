import { describe, expect, it } from 'vitest';
import { compilePattern } from './pattern.ts';

const cases: [string, string[], string[]][] = [
  ['[A-Z]{2}-\\d{4}', ['AB-1234'], ['AB-123', 'ab-1234', 'xAB-1234', 'AB-12345']],
  ['^(red|green|)$', ['red', 'green', ''], ['blue', 'redgreen']],
  ['a*b+c?', ['b', 'aabb', 'bc'], ['a', 'c', 'bcc']],
  ['(?:ab){2,3}', ['abab', 'ababab'], ['ab', 'abababab']],
  ['(a|b){2,}', ['ab', 'bbaa'], ['a', '']],
  ['\\p{Lu}\\p{Ll}+( \\p{Lu}\\p{Ll}+)*', ['Åsa', 'Åsa Öberg'], ['åsa', 'Åsa öberg']],
  ['.{3}', ['a😀b'], ['a😀', 'a😀bc']],
  ['[^\\]]+\\.\\*', ['x.*'], [']x.*', 'x**']],
  ['(a?){3}', ['', 'a', 'aaa'], ['aaaa']],
  ['a{0}b', ['b'], ['ab']],
  ['cost\\$', ['cost$'], ['cost']],
];

describe('a pattern', () => {
  it.each(cases)('%s matches the whole text', (source, yes, no) => {
    const pattern = compilePattern(source);
    for (const text of yes) expect([source, text, pattern.matches(text)]).toEqual([source, text, true]);
    for (const text of no) expect([source, text, pattern.matches(text)]).toEqual([source, text, false]);
  });

  it.each(cases)('%s says what the language says', (source, yes, no) => {
    const native = new RegExp(`^(?:${source.replace(/^\^|(?<!\\)\$$/g, '')})$`, 'su');
    for (const text of [...yes, ...no]) expect(compilePattern(source).matches(text)).toBe(native.test(text));
  });

  it('no text stops the process, however the pattern is nested', () => {
    for (const source of ['(a+)+', '(a|a)*b', '(a*)*b', '((a?){14}){14}', '(.*a){15}', '(.*){120}']) {
      const pattern = compilePattern(source);
      const began = performance.now();
      pattern.matches(`${'a'.repeat(2_000)}!`);
      expect(performance.now() - began).toBeLessThan(2_000);
    }
  });

  it.each([
    '(',
    ')',
    'a)',
    '[a',
    'a**',
    '*a',
    '(?=a)',
    '(?<=a)b',
    '(a)\\1',
    '\\k<x>',
    'a{2,1}',
    'a{x}',
    '(.*){400}',
    '[z-a]',
    'a^b',
    '((((a{99}){99}){99}){99})',
    'x'.repeat(501),
    `${'('.repeat(30)}a${')'.repeat(30)}`,
  ])('refuses %s', (source) => {
    expect(() => compilePattern(source)).toThrow();
  });
});
