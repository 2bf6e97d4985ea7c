/** Colours as the branding needs them: read, measured (WCAG 2 contrast), moved in lightness. Numbers are sRGB 0–1 or OKLCH. */

export type Rgb = [number, number, number];
export interface Oklch {
  l: number;
  c: number;
  h: number;
}

/** Reads `#rgb`, `#rrggbb`, `rgb(…)` and `oklch(…)`; anything else is undefined. */
export function parseColour(text: string): Rgb | undefined {
  const value = text.trim().toLowerCase();
  const hex = /^#(?:([0-9a-f]{3})|([0-9a-f]{6}))$/.exec(value);
  if (hex) {
    const digits = hex[2] ?? [...(hex[1] ?? '')].map((digit) => digit + digit).join('');
    return [0, 2, 4].map((at) => Number.parseInt(digits.slice(at, at + 2), 16) / 255) as Rgb;
  }
  const rgb = /^rgb\(\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})\s*\)$/.exec(value);
  if (rgb) {
    const channels = rgb.slice(1, 4).map(Number);
    return channels.every((channel) => channel <= 255) ? (channels.map((channel) => channel / 255) as Rgb) : undefined;
  }
  const oklch = /^oklch\(\s*([\d.]+)(%?)\s+([\d.]+)\s+([\d.]+)(?:deg)?\s*\)$/.exec(value);
  if (oklch) return fromOklch({ l: Number(oklch[1]) / (oklch[2] ? 100 : 1), c: Number(oklch[3]), h: Number(oklch[4]) });
  return undefined;
}

/** WCAG 2 contrast ratio, 1–21. */
export function contrast(a: Rgb, b: Rgb): number {
  const [lighter, darker] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (lighter + 0.05) / (darker + 0.05);
}

export function toHex(colour: Rgb): string {
  return `#${colour
    .map((channel) =>
      Math.round(clamp(channel) * 255)
        .toString(16)
        .padStart(2, '0'),
    )
    .join('')}`;
}

/** The colour nearest to this one, darker or lighter, that stands out from every ground by the ratio. */
export function readable(colour: Rgb, grounds: Rgb[], ratio: number, towards: 'dark' | 'light'): Rgb {
  const { c, h, l: start } = toOklch(colour);
  const step = towards === 'dark' ? -0.01 : 0.01;
  for (let l = start; l >= 0 && l <= 1; l += step) {
    const tried = rounded(fromOklch({ l, c, h }));
    if (grounds.every((ground) => contrast(tried, ground) >= ratio)) return tried;
  }
  return towards === 'dark' ? [0, 0, 0] : [1, 1, 1];
}

const linear = (channel: number) => (channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4);
const gamma = (channel: number) => (channel <= 0.0031308 ? channel * 12.92 : 1.055 * channel ** (1 / 2.4) - 0.055);
const clamp = (channel: number) => Math.min(1, Math.max(0, channel));
const rounded = (colour: Rgb) => colour.map((channel) => Math.round(channel * 255) / 255) as Rgb;

function luminance(colour: Rgb): number {
  const [r, g, b] = colour.map(linear) as Rgb;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Björn Ottosson's OKLab matrices, as in CSS Color 4 section 10. */
export function toOklch(colour: Rgb): Oklch {
  const [r, g, b] = colour.map(linear) as Rgb;
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  const a = 1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s;
  const bb = 0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s;
  return {
    l: 0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    c: Math.hypot(a, bb),
    h: ((Math.atan2(bb, a) * 180) / Math.PI + 360) % 360,
  };
}

/** Chroma is given up, not lightness, when a colour lies outside sRGB. */
export function fromOklch({ l, c, h }: Oklch): Rgb {
  for (let chroma = c; chroma > 0; chroma -= 0.005) {
    const colour = convert(l, chroma, h);
    if (colour.every((channel) => channel >= -0.002 && channel <= 1.002)) return colour.map(clamp) as Rgb;
  }
  return convert(l, 0, h).map(clamp) as Rgb;
}

function convert(lightness: number, c: number, h: number): Rgb {
  const a = c * Math.cos((h * Math.PI) / 180);
  const b = c * Math.sin((h * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    gamma(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    gamma(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    gamma(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}
