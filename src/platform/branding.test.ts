import { describe, expect, it } from 'vitest';
import { BrandingFault, createBranding } from './branding.ts';
import { contrast, fromOklch, parseColour, type Rgb, toHex, toOklch } from './colour.ts';

const pair = (css: string, name: string): [Rgb, Rgb] => {
  const [, light, dark] = new RegExp(`--${name}:light-dark\\((#\\w+),(#\\w+)\\)`).exec(css) ?? [];
  return [parseColour(light ?? '') as Rgb, parseColour(dark ?? '') as Rgb];
};
const darkCard = fromOklch({ l: 0.225, c: 0.017, h: 262 });

describe('branding', () => {
  const colours = [
    '#2b62d0',
    '#ffd500',
    '#000',
    '#fff',
    '#777777',
    '#00ff00',
    '#0a1a4a',
    '#e4002b',
    'rgb(255 105 180)',
    'oklch(0.7 0.15 200)',
  ];

  it.each(colours)('keeps words readable with %s, light and dark', (colour) => {
    const { css } = createBranding({ name: 'Acme', colour });
    const [grounds, hovers, words, links] = ['brand', 'brand-hover', 'on-brand', 'link'].map((name) =>
      pair(css, name),
    ) as [Rgb, Rgb][];
    for (const scheme of [0, 1] as const) {
      expect(contrast(grounds![scheme], words![scheme])).toBeGreaterThanOrEqual(4.5);
      expect(contrast(hovers![scheme], words![scheme])).toBeGreaterThanOrEqual(4.5);
    }
    expect(contrast(links![0], [1, 1, 1])).toBeGreaterThanOrEqual(4.5);
    expect(contrast(links![1], darkCard)).toBeGreaterThanOrEqual(4.5);
    expect(contrast(grounds![1], darkCard)).toBeGreaterThanOrEqual(2.9);
  });

  it('says what it corrected', () => {
    expect(createBranding({ name: 'Acme', colour: '#2b62d0' }).corrections).toEqual([]);
    expect(createBranding({ name: 'Acme', colour: '#ffd500' }).corrections.join()).toContain('white is hard to read');
    expect(createBranding({ name: 'Acme', colour: '#0a1a4a' }).corrections.join()).toContain('dark pages');
  });

  it('tells every fault at once', () => {
    const wrong = () =>
      createBranding({ name: '', colour: 'blue-ish', logo: 'javascript:alert(1)', terms: 'terms.html' });
    expect(wrong).toThrow(BrandingFault);
    try {
      wrong();
    } catch (error) {
      expect((error as BrandingFault).faults.map((fault) => fault.split(':')[0])).toEqual([
        'name',
        'colour',
        'terms',
        'logo',
      ]);
    }
  });

  it.each(['#12345', 'red;}body{display:none', 'url(x)', 'rgb(300 0 0)', 'oklch(0.5 0.1 20 / 1);x'])(
    'refuses the colour %s',
    (colour) => {
      expect(() => createBranding({ name: 'Acme', colour })).toThrow(BrandingFault);
    },
  );

  it('puts nothing but numbers and names into the style element', () => {
    expect(createBranding({ name: '</style><script>', colour: '#abc' }).css).toMatch(/^[\w\s#(),.:;-]+$/);
  });

  it('makes a mark of the name', () => {
    expect(createBranding({ name: 'Acme' }).monogram).toBe('A');
    expect(createBranding({ name: 'Bauer Maschinenbau GmbH' }).monogram).toBe('BM');
    expect(createBranding({ name: 'Élan & Ökostrom' }).monogram).toBe('ÉÖ');
    expect(createBranding({ name: '!!!' }).monogram).toBe('•');
    expect(decodeURIComponent(createBranding({ name: '<script>' }).icon)).not.toContain('<script>');
  });
});

it('colours survive the way to OKLCH and back', () => {
  for (const hex of ['#2b62d0', '#ffd500', '#123456', '#ffffff'])
    expect(toHex(fromOklch(toOklch(parseColour(hex) as Rgb)))).toBe(hex);
});
