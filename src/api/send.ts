import { Readable } from 'node:stream';
import type { AppContext } from '../platform/http/index.ts';
import { isUnchanged } from './conditions.ts';
import type { KeptAnswer } from './idempotency.ts';
import type { Reply } from './route.ts';

/** An answer as a whole. */
export function send(ctx: AppContext, { status, headers, body }: KeptAnswer): void {
  ctx.set('cache-control', headers.etag && ctx.method === 'GET' ? 'private, no-cache' : 'no-store');
  ctx.set(headers);
  if (headers.etag && ctx.method === 'GET' && isUnchanged(ctx, headers.etag)) {
    ctx.status = 304;
    return;
  }
  ctx.status = status;
  if (body === undefined) return;
  ctx.type = 'application/json';
  ctx.body = body;
}

/** A file as it comes. Its first part is made before the answer begins, so that what is refused is told as a problem. */
export async function stream(ctx: AppContext, { type, parts }: NonNullable<Reply<never>['stream']>): Promise<void> {
  const first = await parts.next();
  const all = async function* () {
    try {
      for (let part = first; !part.done; part = await parts.next()) yield part.value;
    } finally {
      // Whoever hangs up is worked for no longer.
      await parts.return?.();
    }
  };
  ctx.set('cache-control', 'no-store');
  ctx.status = 200;
  ctx.type = type;
  ctx.body = Readable.from(all(), { objectMode: false });
}
