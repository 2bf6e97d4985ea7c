import { bodyParser } from '@koa/bodyparser';
import type { Middleware } from 'koa';
import type { AppContext } from './state.ts';

/** A posted form: the first value of each field, and no field that was not sent. */
export type Form = Record<string, string | undefined>;

const parse = bodyParser({ enableTypes: ['form'], formLimit: '64kb', encoding: 'utf-8' });

/** Reads `application/x-www-form-urlencoded` bodies of our own doors, at most 64 kB; larger ones are refused with 413. */
export const formBody: Middleware = parse as Middleware;

/**
 * The form as flat text; a field sent twice counts once, nested names are not followed. What no database keeps, NUL and
 * halves of surrogate pairs, is left out here and not found out there.
 */
export function readForm(ctx: AppContext): Form {
  const body = (ctx.request as unknown as { body?: Record<string, unknown> }).body ?? {};
  const form: Form = Object.create(null);
  for (const [name, value] of Object.entries(body)) {
    const first = Array.isArray(value) ? value[0] : value;
    if (typeof first === 'string') form[name] = first.toWellFormed().replaceAll('\0', '');
  }
  return form;
}
