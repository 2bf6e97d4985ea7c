import type { Middleware } from 'koa';
import { Refusal } from '../refusal.ts';
import { readBytes } from './body.ts';
import type { AppContext } from './state.ts';

/** A file out of a form, as the browser sent it: neither its name nor its type is to be believed. */
export type Upload = Uint8Array;

/**
 * Reads `multipart/form-data` (RFC 7578) up to a limit; to stand before the guard of forms, which looks at the field it
 * leaves. What is larger is not kept: {@link uploadOf} says so.
 * @param limit bytes of the whole body
 */
export function multipartBody({ limit }: { limit: number }): Middleware {
  return async (ctx, next) => {
    if (!ctx.is('multipart/form-data')) throw new Refusal('request.media_type', { kind: 'invalid' });
    const body = await readBytes(ctx.req, limit);
    const { state } = ctx as AppContext & { state: { uploads?: Map<string, Upload | 'too_large'> } };
    state.uploads = new Map();
    (ctx.request as { body?: unknown }).body = {};
    if (!body) {
      // Nothing of it is known, the guard's field included.
      throw new Refusal('upload.too_large', { kind: 'invalid', details: { max: limit } });
    }
    try {
      const form = await new Response(new Uint8Array(body), {
        headers: { 'content-type': ctx.get('content-type') },
      }).formData();
      const fields: Record<string, string> = Object.create(null);
      for (const [name, value] of form) {
        if (typeof value === 'string') fields[name] ??= value;
        else if (!state.uploads.has(name)) state.uploads.set(name, new Uint8Array(await value.arrayBuffer()));
      }
      (ctx.request as { body?: unknown }).body = fields;
    } catch (cause) {
      throw new Refusal('request.malformed', { kind: 'invalid', cause });
    }
    await next();
  };
}

/** The file of a field; undefined when none was chosen, which browsers send as an empty one. */
export function uploadOf(ctx: AppContext, name: string): Upload | undefined {
  const upload = (ctx.state as { uploads?: Map<string, Upload> }).uploads?.get(name);
  return upload && upload.length > 0 ? upload : undefined;
}
