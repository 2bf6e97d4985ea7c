import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { convertPicture } from './convert.ts';

const plain = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: { r: 200, g: 30, b: 30 } } });
const refusal = (bytes: Uint8Array) =>
  convertPicture(bytes).then(
    () => 'taken',
    (error: { code?: string }) => error.code ?? String(error),
  );

/** A PNG whose header claims a size; its data are that many zeros, compressed a thousandfold. */
function bomb(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const head = Buffer.alloc(4);
    head.writeUInt32BE(data.length);
    const crc = Buffer.alloc(4);
    crc.writeUInt32BE(crc32(body));
    return Buffer.concat([head, body, crc]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([1, 0, 0, 0, 0], 8);
  const rows = Buffer.alloc(Math.min(20_000_000, height * (Math.ceil(width / 8) + 1)));
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function crc32(bytes: Buffer): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

describe('a picture', () => {
  it.each(['jpeg', 'png', 'webp', 'gif'] as const)(
    'in %s becomes a square WebP of at most 512 pixels',
    async (kind) => {
      for (const [width, height, side] of [
        [1200, 800, 512],
        [60, 90, 60],
      ] as const) {
        const drawn = await convertPicture(await plain(width, height)[kind]().toBuffer());
        expect(await sharp(drawn).metadata()).toMatchObject({ format: 'webp', width: side, height: side });
      }
    },
  );

  it('is turned upright and loses where it was taken, its profile and its comments', async () => {
    const photo = await sharp({ create: { width: 40, height: 20, channels: 3, background: 'white' } })
      .composite([{ input: await plain(20, 20).png().toBuffer(), left: 0, top: 0 }])
      .withExif({
        IFD0: { Copyright: 'somebody', ImageDescription: '<script>' },
        IFD3: { GPSLatitude: '52/1 30/1 0/1' },
      })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    expect((await sharp(photo).metadata()).exif).toBeDefined();
    const drawn = await convertPicture(photo);
    const about = await sharp(drawn).metadata();
    expect([about.exif, about.icc, about.xmp, about.orientation]).toEqual([undefined, undefined, undefined, undefined]);
    expect(Buffer.from(drawn).includes('script')).toBe(false);
  });

  it('hands on nothing of a second file that hides in it', async () => {
    const page = '<html><script>alert(1)</script>';
    const polyglot = Buffer.concat([await plain(64, 64).jpeg().toBuffer(), Buffer.from(`${page}PK\x03\x04`)]);
    const drawn = await convertPicture(polyglot);
    expect(Buffer.from(drawn).includes('script')).toBe(false);
    expect(Buffer.from(drawn).includes('PK\x03\x04')).toBe(false);
  });

  it('is refused where it is none: SVG, PDF, HTML and whatever only begins like one', async () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>';
    const tiff = await plain(20, 20).tiff().toBuffer();
    for (const bytes of [svg, `<?xml version="1.0"?>${svg}`, '%PDF-1.7', '<!doctype html>', '', '\xff', 'BM'])
      expect([bytes.slice(0, 9), await refusal(Buffer.from(bytes, 'latin1'))]).toEqual([
        bytes.slice(0, 9),
        'picture.kind_refused',
      ]);
    expect(await refusal(tiff)).toBe('picture.kind_refused');
    for (const head of ['GIF89a/*', '\x89PNG\r\n\x1a\n', '\xff\xd8\xff\xe0', 'RIFF\0\0\0\0WEBP'])
      expect(await refusal(Buffer.from(`${head}${svg}`, 'latin1'))).toBe('picture.broken');
    const half = (await plain(300, 300).jpeg().toBuffer()).subarray(0, 700);
    expect(await refusal(half)).toBe('picture.broken');
  });

  it('that would fill the memory when decoded is refused by its header', async () => {
    const started = performance.now();
    const before = process.memoryUsage().rss;
    expect(await refusal(bomb(30_000, 30_000))).toBe('picture.too_many_pixels');
    expect(await refusal(bomb(65_000, 65_000))).toBe('picture.too_many_pixels');
    expect(await refusal(bomb(2_000_000_000, 2_000_000_000))).toMatch(/too_many_pixels|broken/);
    // What it claims, decoded, would be gigabytes.
    expect(process.memoryUsage().rss - before).toBeLessThan(300_000_000);
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it('that moves is refused', async () => {
    const frames = Buffer.concat(await Promise.all([0, 120, 240].map((r) => plainOf(r).raw().toBuffer())));
    const raw = { width: 16, height: 48, channels: 3, pageHeight: 16 } as const;
    for (const kind of ['gif', 'webp'] as const) {
      const moving = await sharp(frames, { raw })
        .toFormat(kind, { loop: 0, delay: [50, 50, 50] } as never)
        .toBuffer();
      expect((await sharp(moving).metadata()).pages).toBe(3);
      expect(await refusal(moving)).toBe('picture.animated');
    }
  });

  it('waits its turn, and is refused when too many wait', async () => {
    const bytes = await plain(800, 800).jpeg().toBuffer();
    const answers = await Promise.all(Array.from({ length: 64 }, () => refusal(bytes)));
    expect(new Set(answers)).toEqual(new Set(['taken', 'picture.busy']));
    expect(await refusal(bytes)).toBe('taken');
  });
});

const plainOf = (r: number) => sharp({ create: { width: 16, height: 16, channels: 3, background: { r, g: 9, b: 9 } } });
