import { contrast, fromOklch, parseColour, type Rgb, readable, toHex, toOklch } from './colour.ts';

/** What an operator says about the look. Everything but the name is optional. */
export interface BrandingInput {
  /** The organisation's name, as people know it. */
  name: string;
  /** https URL, or a path on this server, or a data:image URL. Without it a mark is made from the name. */
  logo?: string | undefined;
  /** `#rrggbb`, `rgb(…)` or `oklch(…)`. */
  colour?: string | undefined;
  /** A second colour for links and focus; from the brand colour when missing. */
  accent?: string | undefined;
  terms?: string | undefined;
  privacy?: string | undefined;
  support?: string | undefined;
}

export interface Branding extends BrandingInput {
  /** The letters of the generated mark. */
  monogram: string;
  /** Declarations for `:root`, to be put into a style element with the response's nonce. Built from numbers only. */
  css: string;
  /** A small generated icon (data: URL) for the browser's tab. */
  icon: string;
  /** The colour of buttons in light pages, for what has no stylesheet: letters, theme-color. */
  brand: string;
  onBrand: string;
  /** Of links on light ground. */
  link: string;
  /** What had to be changed to keep words readable; for the log at start. */
  corrections: string[];
}

/** A branding that cannot be shown; `faults` says what is wrong and what would be right, one line each. */
export class BrandingFault extends Error {
  faults: string[];
  constructor(faults: string[]) {
    super(faults.join('\n'));
    this.name = 'BrandingFault';
    this.faults = faults;
  }
}

const DEFAULT_COLOUR = '#2b62d0';
/** WCAG 2.2: 1.4.3 for words, 1.4.11 for the shapes of controls. */
const WORDS = 4.5;
const SHAPES = 3;
const WHITE: Rgb = [1, 1, 1];

/** Checks a branding and derives its colours for light and dark pages. Throws BrandingFault. */
export function createBranding(input: BrandingInput): Branding {
  const faults = faultsOf(input);
  if (faults.length) throw new BrandingFault(faults);
  const name = input.name.trim();
  const colour = parseColour(input.colour ?? DEFAULT_COLOUR) as Rgb;
  const accent = input.accent ? (parseColour(input.accent) as Rgb) : colour;
  const { h, c } = toOklch(colour);
  // A grey brand has no hue of its own: neutrals stay neutral then.
  const tint = c < 0.02 ? 0 : 1;
  const neutral = (l: number, chroma: number) => fromOklch({ l, c: chroma * tint, h });
  const darkGrounds = [neutral(0.18, 0.015), neutral(0.225, 0.017)];
  const lightGrounds = [neutral(0.975, 0.006), WHITE];

  const light = button(colour);
  const dark = button(readable(colour, darkGrounds, SHAPES, 'light'));
  const link = {
    light: readable(accent, lightGrounds, WORDS, 'dark'),
    dark: readable(accent, darkGrounds, WORDS + 1.5, 'light'),
  };
  const corrections: string[] = [];
  if (toHex(dark.ground) !== toHex(light.ground))
    corrections.push(`${toHex(colour)} would vanish in dark pages; buttons there are ${toHex(dark.ground)}`);
  if (toHex(light.words) !== '#ffffff')
    corrections.push(`white is hard to read on ${toHex(colour)}; words on it are dark`);
  if (toHex(link.light) !== toHex(accent))
    corrections.push(`${toHex(accent)} is too light for links; they are ${toHex(link.light)}`);

  const pair = (a: Rgb, b: Rgb) => `light-dark(${toHex(a)},${toHex(b)})`;
  const css = [
    `--hue:${h.toFixed(1)}`,
    `--tint:${tint}`,
    `--brand:${pair(light.ground, dark.ground)}`,
    `--brand-hover:${pair(light.hover, dark.hover)}`,
    `--on-brand:${pair(light.words, dark.words)}`,
    // A button nearly as light as the card gets a line around it.
    `--brand-line:${contrast(light.ground, WHITE) < SHAPES ? pair(readable(colour, lightGrounds, SHAPES, 'dark'), dark.ground) : 'transparent'}`,
    `--link:${pair(link.light, link.dark)}`,
  ].join(';');
  const monogram = monogramOf(name);
  return {
    ...input,
    name,
    monogram,
    css,
    icon: iconOf(monogram, toHex(light.ground), toHex(light.words)),
    brand: toHex(light.ground),
    onBrand: toHex(light.words),
    link: toHex(link.light),
    corrections,
  };
}

/** A button's ground, that of its hover, and words readable on both. White is kept wherever it can be read. */
function button(ground: Rgb): { ground: Rgb; hover: Rgb; words: Rgb } {
  const ink = fromOklch({ l: 0.2, c: 0.02, h: toOklch(ground).h });
  const words = contrast(WHITE, ground) >= WORDS ? WHITE : contrast(ink, ground) >= WORDS ? ink : ([0, 0, 0] as Rgb);
  const { l, c, h } = toOklch(ground);
  const hover = fromOklch({ l: Math.min(1, Math.max(0, l + (words === WHITE ? -0.05 : 0.05))), c, h });
  return { ground, hover, words };
}

function faultsOf(input: BrandingInput): string[] {
  const faults: string[] = [];
  const name = input.name?.trim() ?? '';
  // Control and direction characters would let a name run into the words around it.
  if (!name || name.length > 80 || /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u.test(name))
    faults.push('name: give the organisation’s name, 1 to 80 characters in one line.');
  for (const key of ['colour', 'accent'] as const) {
    const value = input[key];
    if (value && !parseColour(value))
      faults.push(`${key}: “${value}” is not a colour; write it as #2b62d0, rgb(43 98 208) or oklch(0.52 0.17 262).`);
  }
  for (const key of ['terms', 'privacy', 'support'] as const) {
    const value = input[key];
    if (
      value &&
      !/^(https?:\/\/[^\s"'<>]+|\/[^/\s"'<>][^\s"'<>]*)$/.test(value) &&
      !(key === 'support' && /^mailto:[^\s"'<>]+$/.test(value))
    )
      faults.push(`${key}: “${value}” is not an address; write a whole one, such as https://example.com/${key}.`);
  }
  if (
    input.logo &&
    !/^(https?:\/\/[^\s"'<>]+|\/[^/\s"'<>][^\s"'<>]*|data:image\/(png|svg\+xml|webp|jpeg)[;,][^\s"'<>]+)$/.test(
      input.logo,
    )
  )
    faults.push('logo: give an https address, a path on this server or a data:image URL.');
  return faults;
}

/** One letter for one word, two for several: Acme → A, Bauer Maschinenbau → BM. */
function monogramOf(name: string): string {
  const words = name.split(/[\s\-–—&+.,/]+/).filter((word) => /^[\p{L}\p{N}]/u.test(word));
  const letters = words.slice(0, 2).map((word) => [...word][0] ?? '');
  return letters.join('').toUpperCase() || '•';
}

function iconOf(monogram: string, ground: string, words: string): string {
  const letter = [...monogram][0] ?? '•';
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="9" fill="${ground}"/><text x="16" y="22.5" text-anchor="middle" font-family="system-ui,sans-serif" font-weight="700" font-size="19" fill="${words}">${letter}</text></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
