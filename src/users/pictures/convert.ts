import { Refusal } from '../../platform/refusal.ts';

/** Pixels a side of what is kept; smaller ones stay smaller. */
const side = 512;
/** Most pixels that are decoded: more than any camera of a phone takes, less than would fill the memory. */
const mostPixels = 50_000_000;
/** Decoded at once in a process: each may take some 200 MB for a moment. */
const atOnce = 2;
/** Waiting for that; more would only be answered after the person has gone. */
const mostWaiting = 20;

type Kind = 'jpeg' | 'png' | 'webp' | 'gif';

/** By the first bytes, which is what decoders go by; what the browser called it is not looked at. */
function kindOf(bytes: Uint8Array): Kind | undefined {
  const head = Buffer.from(bytes.subarray(0, 16)).toString('latin1');
  if (head.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (/^GIF8[79]a/.test(head)) return 'gif';
  if (/^RIFF[\s\S]{4}WEBP/.test(head)) return 'webp';
  return undefined;
}

type Sharp = typeof import('sharp');
let loading: Promise<Sharp> | undefined;

/** The library is loaded with the first picture, and then knows the four kinds and no other (SVG, PDF, TIFF …). */
async function load(): Promise<Sharp> {
  const { default: sharp } = await import('sharp');
  sharp.cache(false);
  sharp.concurrency(1);
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({
    operation: [
      'VipsForeignLoadJpegBuffer',
      'VipsForeignLoadPngBuffer',
      'VipsForeignLoadWebpBuffer',
      'VipsForeignLoadNsgifBuffer',
    ],
  });
  return sharp as unknown as Sharp;
}

let working = 0;
const waiting: (() => void)[] = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (working >= atOnce) {
    if (waiting.length >= mostWaiting) throw new Refusal('picture.busy', { kind: 'unavailable', retryAfter: 5 });
    await new Promise<void>((go) => waiting.push(go));
  } else working += 1;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else working -= 1;
  }
}

const refused = (code: string, cause?: unknown) =>
  new Refusal(`picture.${code}`, { kind: 'invalid', ...(cause ? { cause } : {}) });

/**
 * Draws the picture anew: a square WebP of at most 512 pixels, turned upright, with nothing of the file it came from but
 * the pixels, so that neither where it was taken nor a second file hidden in it is handed on.
 * @throws Refusal `picture.kind_refused` (neither JPEG, PNG, WebP nor GIF), `picture.animated`, `picture.too_many_pixels`,
 *   `picture.broken` (invalid), `picture.busy` (unavailable)
 */
export async function convertPicture(bytes: Uint8Array): Promise<Uint8Array> {
  const kind = kindOf(bytes);
  if (!kind) throw refused('kind_refused');
  loading ??= load();
  const sharp = (await loading) as unknown as typeof import('sharp').default;
  return inTurn(async () => {
    const options = { limitInputPixels: mostPixels, failOn: 'error', sequentialRead: true, pages: 1 } as const;
    const {
      format,
      pages = 1,
      width = 0,
      height = 0,
    } = await sharp(bytes, { ...options, limitInputPixels: false })
      .metadata()
      .catch((cause: unknown) => {
        throw refused('broken', cause);
      });
    // Read from the header, before a pixel is decoded.
    if (format !== kind || width < 1 || height < 1) throw refused('broken');
    if (pages > 1) throw refused('animated');
    if (width * height > mostPixels) throw refused('too_many_pixels');
    try {
      const size = Math.min(side, width, height);
      const drawn = await sharp(bytes, options)
        .timeout({ seconds: 15 })
        .rotate()
        .resize(size, size, { fit: 'cover' })
        .toColourspace('srgb')
        .webp({ quality: 82, effort: 4 })
        .toBuffer();
      return new Uint8Array(drawn);
    } catch (cause) {
      throw refused('broken', cause);
    }
  });
}
