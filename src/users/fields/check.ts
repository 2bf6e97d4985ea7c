import { Refusal } from '../../platform/index.ts';
import { type Field, longest } from './definition.ts';
import { compilePattern, type Pattern } from './pattern.ts';

/** Who gives the values, and where. */
export interface Given {
  as: 'user' | 'administrator' | 'client';
  at: 'registration' | 'profile' | 'api';
  /** Of a client: those of its token. `scim.write` when nothing is said, so that provisioning needs not say it. */
  scopes?: readonly string[];
  /** These are all the values there are (a creation, a replacement), not a change of some. */
  whole?: boolean;
}

/** What is wrong with one value; the words stand under `problem.<code>`. */
export interface FieldFault {
  code:
    | 'field.missing'
    | 'field.unknown'
    | 'field.read_only'
    | 'field.malformed'
    | 'field.too_long'
    | 'field.too_short'
    | 'field.too_large'
    | 'field.too_small'
    | 'field.too_many'
    | 'field.too_few'
    | 'field.not_a_choice';
  params?: Record<string, unknown>;
}

/** Removes the value; what forms and JSON call nothing. */
const isNothing = (value: unknown): boolean =>
  value === null || value === '' || (Array.isArray(value) && value.length === 0);

const may = (parties: readonly string[], { as, scopes = ['scim.write'] }: Given): boolean =>
  as === 'administrator' ||
  (as === 'user' ? parties.includes('user') : parties.some((party) => scopes.includes(party)));

export const mayWrite = (field: Field, given: Given): boolean => may(field.write, given);

/** @param by.scopes of a client; `scim.read` when nothing is said */
export const mayRead = (field: Field, by: { as: Given['as']; scopes?: readonly string[] }): boolean =>
  may(field.read, { at: 'api', ...by, scopes: by.scopes ?? ['scim.read'] });

/**
 * The values, cleaned, by the name of their field; `null` where one is to be removed.
 * @throws Refusal `user.attributes_invalid` (invalid): `details` has a {@link FieldFault} for each field at fault
 */
export function checkValues(
  fields: readonly Field[],
  values: Record<string, unknown>,
  given: Given,
): Record<string, unknown> {
  const faults: Record<string, FieldFault> = {};
  const cleaned: Record<string, unknown> = {};
  const known = new Map(fields.map((field) => [field.name, field]));

  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    const field = known.get(name);
    if (!field) faults[name.slice(0, 40)] = { code: 'field.unknown' };
    else if (!mayWrite(field, given)) faults[name] = { code: 'field.read_only' };
    else if (isNothing(value)) {
      if (field.required && given.as !== 'administrator') faults[name] = { code: 'field.missing' };
      else cleaned[name] = null;
    } else {
      const result = clean(field, value);
      if ('fault' in result) faults[name] = result.fault;
      else cleaned[name] = result.value;
    }
  }
  for (const field of fields) {
    if (!field.required || field.name in values || !isAsked(field, given)) continue;
    faults[field.name] = { code: 'field.missing' };
  }
  if (Object.keys(faults).length > 0)
    throw new Refusal('user.attributes_invalid', { kind: 'invalid', details: faults as Record<string, unknown> });
  return cleaned;
}

/** Whether a value must come with this form or request when the field is required. */
function isAsked(field: Field, given: Given): boolean {
  if (given.at === 'api') return given.whole === true && given.as === 'client' && mayWrite(field, given);
  return given.at === 'registration' && field.ask.includes('registration');
}

type Result = { value: unknown } | { fault: FieldFault };

const fault = (code: FieldFault['code'], params?: FieldFault['params']): Result => ({
  fault: { code, ...(params ? { params } : {}) },
});

/** One value by its type. Forms send text for everything, so text that says a number or yes is taken for it. */
function clean(field: Field, value: unknown): Result {
  switch (field.type) {
    case 'integer':
    case 'number':
      return number(field, value);
    case 'boolean':
      if (typeof value === 'boolean') return { value };
      if (value === 'yes' || value === 'true' || value === 'True') return { value: true };
      if (value === 'no' || value === 'false' || value === 'False') return { value: false };
      return fault('field.malformed');
    case 'date':
      return typeof value === 'string' && isDate(value.trim()) ? { value: value.trim() } : fault('field.malformed');
    case 'strings':
      return list(field, value);
    default:
      return typeof value === 'string' ? text(field, value) : fault('field.malformed');
  }
}

function number(field: Field, value: unknown): Result {
  const text = typeof value === 'string' ? value.trim().replace(',', '.') : '';
  const said =
    typeof value === 'string' ? (/^[+-]?\d{1,20}(\.\d{1,20})?$/.test(text) ? Number(text) : Number.NaN) : value;
  if (typeof said !== 'number' || !Number.isFinite(said)) return fault('field.malformed');
  if (field.type === 'integer' && !Number.isSafeInteger(said)) return fault('field.malformed');
  if (field.min !== undefined && said < field.min) return fault('field.too_small', { min: field.min });
  if (field.max !== undefined && said > field.max) return fault('field.too_large', { max: field.max });
  return { value: said };
}

function text(field: Field, given: string): Result {
  const value = tidy(given, field.type === 'text');
  if (value === '') return fault('field.malformed');
  if (field.type === 'enum') return isChoice(field, value) ? { value } : fault('field.not_a_choice');
  const most = Math.min(field.max ?? Number.POSITIVE_INFINITY, longest[field.type as 'string']);
  const length = [...value].length;
  if (length > most) return fault('field.too_long', { max: most });
  if (field.min !== undefined && length < field.min) return fault('field.too_short', { min: field.min });
  if (field.type === 'url' && !isWebAddress(value)) return fault('field.malformed');
  return matches(field, value) ? { value } : fault('field.malformed');
}

function list(field: Field, value: unknown): Result {
  // In a form, one to a line.
  const given = typeof value === 'string' ? value.split(/[\r\n]+/) : value;
  if (!Array.isArray(given) || given.length > 10_000 || !given.every((item) => typeof item === 'string'))
    return fault('field.malformed');
  const items = [...new Set(given.map((item) => tidy(item, false)))].filter((item) => item !== '');
  // Before the pattern is tried on each: that is the work that somebody could make us do.
  const most = Math.min(field.max ?? longest.items, longest.items);
  if (items.length > most) return fault('field.too_many', { max: most });
  if (items.length < (field.min ?? 1)) return fault('field.too_few', { min: field.min ?? 1 });
  for (const item of items) {
    if ([...item].length > longest.item) return fault('field.too_long', { max: longest.item });
    if (field.options && !isChoice(field, item)) return fault('field.not_a_choice');
    if (!matches(field, item)) return fault('field.malformed');
  }
  return { value: items };
}

const isChoice = (field: Field, value: string): boolean =>
  field.options?.some((option) => option.value === value) ?? false;

/** One spelling of one text, without what no database keeps or nobody sees. */
const tidy = (value: string, lines: boolean): string =>
  value
    .toWellFormed()
    .normalize('NFC')
    .replace(lines ? /[^\P{Cc}\n\t]+/gu : /[\p{Cc}\u2028\u2029]+/gu, lines ? '' : ' ')
    .trim();

function isDate(value: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(value)) return false;
  const date = new Date(`${value}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(value);
}

/** No other scheme: the value becomes a link somewhere. */
const isWebAddress = (value: string): boolean => /^https?:\/\//i.test(value) && URL.canParse(value);

/** A field's pattern is compiled once for as long as its definition is kept. */
const compiled = new WeakMap<Field, Pattern>();

function matches(field: Field, value: string): boolean {
  if (field.pattern === undefined) return true;
  let pattern = compiled.get(field);
  if (!pattern) {
    pattern = compilePattern(field.pattern);
    compiled.set(field, pattern);
  }
  return pattern.matches(value);
}
