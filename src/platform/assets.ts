import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import type { Middleware } from 'koa';

/** The stylesheet and the scripts of the pages, under names that change with their content. */
export interface Assets {
  /** The path of a file for a page, with its fingerprint. Throws for a file that is not there. */
  url(name: string): string;
  /** Serves `/assets/…`; anything else goes on. A request with the right fingerprint is kept for a year. */
  middleware: Middleware;
}

const TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
};

interface Asset {
  fingerprint: string;
  type: string;
  /** By content coding, smallest first; compressed when first asked for. */
  bodies(): [coding: string, body: Buffer][];
}

/** @param fresh look for changed files at each request: for those who are changing them. */
export function createAssets({ dir, fresh = false }: { dir: string; fresh?: boolean }): Assets {
  let files = load(dir);
  let changed = lastChange(dir);
  const current = () => {
    if (fresh && lastChange(dir) !== changed) {
      changed = lastChange(dir);
      files = load(dir);
    }
    return files;
  };
  const url = (name: string) => {
    const asset = current().get(name);
    if (!asset) throw new Error(`There is no asset ${name}.`);
    return `/assets/${name}?v=${asset.fingerprint}`;
  };
  const middleware: Middleware = async (ctx, next) => {
    const name = /^\/assets\/([\w.-]+)$/.exec(ctx.path)?.[1];
    const asset = name && ['GET', 'HEAD'].includes(ctx.method) ? current().get(name) : undefined;
    if (!asset) return next();
    const known = ctx.query.v === asset.fingerprint && !fresh;
    ctx.set('cache-control', known ? 'public, max-age=31536000, immutable' : 'no-cache');
    ctx.set('etag', `"${asset.fingerprint}"`);
    ctx.vary('Accept-Encoding');
    ctx.type = asset.type;
    ctx.status = 200;
    if (ctx.fresh) {
      ctx.status = 304;
      return;
    }
    const bodies = asset.bodies();
    const [coding, body] = bodies.find(([coding]) => ctx.acceptsEncodings(coding) === coding) ?? bodies.at(-1)!;
    if (coding !== 'identity') ctx.set('content-encoding', coding);
    ctx.body = body;
  };
  return { url, middleware };
}

const lastChange = (dir: string) => Math.max(...readdirSync(dir).map((name) => statSync(join(dir, name)).mtimeMs));

function load(dir: string): Map<string, Asset> {
  return new Map(
    readdirSync(dir)
      .filter((name) => TYPES[extname(name)])
      .map((name) => {
        const body = readFileSync(join(dir, name));
        const fingerprint = createHash('sha256').update(body).digest('base64url').slice(0, 12);
        let compressed: [string, Buffer][] | undefined;
        const bodies = () => {
          compressed ??= [
            ['br', brotliCompressSync(body)],
            ['gzip', gzipSync(body, { level: 9 })],
            ['identity', body],
          ];
          return compressed;
        };
        return [name, { fingerprint, type: TYPES[extname(name)] ?? '', bodies }];
      }),
  );
}
