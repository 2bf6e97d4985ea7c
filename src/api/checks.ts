import type { z } from 'zod';
import { Refusal } from '../platform/index.ts';
import type { FieldFault } from './problems.ts';

/** A JSON pointer (RFC 6901). */
export const pointerTo = (path: readonly PropertyKey[]): string =>
  path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

const most = 50;

/** @throws Refusal `request.invalid`, each fault with the place where it is */
export const invalid = (errors: FieldFault[]): Refusal =>
  new Refusal('request.invalid', { kind: 'invalid', details: { errors: errors.slice(0, most) } });

/**
 * @param where what the value is: a part of the body is named by pointer, a parameter by its name
 * @throws Refusal `request.invalid`
 */
export function checked(schema: z.ZodType, value: unknown, where: 'body' | 'query' | 'path'): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw invalid(result.error.issues.flatMap((issue) => faultsOf(issue, where)));
}

function faultsOf(issue: z.core.$ZodIssue, where: 'body' | 'query' | 'path'): FieldFault[] {
  const at = (path: readonly PropertyKey[]) =>
    where === 'body' ? { pointer: pointerTo(path) } : { parameter: path.map(String).join('.') };
  const { path, code, message: detail } = issue;
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ ...at([...path, key]), code: 'unknown', detail: 'There is no such field' }));
  }
  return [{ ...at(path), code: names[code] ?? code, detail }];
}

const names: Record<string, string> = {
  invalid_type: 'type',
  too_small: 'too_small',
  too_big: 'too_large',
  invalid_format: 'format',
  invalid_value: 'value',
  invalid_union: 'value',
  not_multiple_of: 'value',
  custom: 'value',
};

/**
 * The query as flat values: what a schema calls a list may be repeated or separated by commas, anything else is there
 * once. `attributes[cost_centre]=42` is an object of one name (OpenAPI's deepObject).
 * @throws Refusal `request.invalid`
 */
export function readQuery(schema: z.ZodObject, search: URLSearchParams): Record<string, unknown> {
  const query: Record<string, unknown> = Object.create(null);
  for (const [key, value] of search) {
    if (!value.isWellFormed() || value.includes('\0') || !key.isWellFormed() || key.includes('\0')) {
      throw invalid([
        { parameter: key.slice(0, 50).toWellFormed(), code: 'value', detail: 'Text that cannot be asked' },
      ]);
    }
    const [, name = key, inner] = /^(\w+)\[([^\]]+)\]$/.exec(key) ?? [];
    if (inner !== undefined) {
      query[name] ??= Object.create(null);
      const object = query[name] as Record<string, unknown>;
      if (typeof object !== 'object' || inner in object) throw twice(key);
      object[inner] = value;
    } else if (isList(schema.shape[name])) {
      query[name] = [...((query[name] as string[] | undefined) ?? []), ...value.split(',')];
    } else {
      if (name in query) throw twice(key);
      query[name] = value;
    }
  }
  return query;
}

const twice = (parameter: string) => invalid([{ parameter, code: 'repeated', detail: 'Only once, please' }]);

function isList(schema: z.core.$ZodType | undefined): boolean {
  let at = schema as z.ZodType | undefined;
  while (at && 'unwrap' in at && at.type !== 'array') at = (at as z.ZodOptional<z.ZodType>).unwrap();
  return at?.type === 'array';
}
