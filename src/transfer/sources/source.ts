import type { ForeignKey } from '../../credentials/index.ts';
import type { Cut } from '../split.ts';

/** What converting takes beside the record. */
export interface Context {
  /** Where hashes need one: its id and, for Firebase, the parameters. */
  firebase?: { keyId: string; key: Extract<ForeignKey, { kind: 'firebase' }> } | undefined;
  pepperId?: string | undefined;
  /** Names of custom fields: what another product knows beside them is left behind. */
  fields: ReadonlySet<string>;
}

/** How one product's export is read. */
export interface Source {
  how: Cut;
  /** Of a table: columns without which it is another one. */
  needs?: readonly string[];
  /** @returns a record as `record.ts` takes it, or undefined for what is no account */
  convert(raw: Record<string, unknown>, context: Context): Record<string, unknown> | undefined;
}

export const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;

/** Milliseconds since 1970, as number or text, seconds if so said, or a date as text. */
export function moment(value: unknown): string | undefined {
  const number = typeof value === 'number' ? value : /^\d{9,14}$/.test(String(value)) ? Number(value) : undefined;
  const date = number === undefined ? new Date(String(value ?? '')) : new Date(number);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

export const yes = (value: unknown): boolean | undefined =>
  typeof value === 'boolean' ? value : /^(true|1|yes|t|y)$/i.test(String(value)) ? true : value ? false : undefined;

/** Without what is undefined: a record says only what it knows. */
export const said = (record: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined && value !== ''));

/** The same, and undefined when nothing is left. */
export function saidOf(record: Record<string, unknown>): Record<string, unknown> | undefined {
  const left = said(record);
  return Object.keys(left).length > 0 ? left : undefined;
}

/** Those of a product's attributes that are custom fields here; lists of one are their one. */
export function attributesOf(raw: unknown, { fields }: Context): Record<string, unknown> | undefined {
  if (typeof raw !== 'object' || raw === null) return undefined;
  const known = Object.entries(raw).filter(([name]) => fields.has(name));
  return saidOf(Object.fromEntries(known.map(([name, value]) => [name, single(value)])));
}

const single = (value: unknown): unknown => (Array.isArray(value) && value.length === 1 ? value[0] : value);

/** A Devise or other peppered bcrypt hash names its pepper. */
export const peppered = (hash: string | undefined, { pepperId }: Context): string | undefined =>
  hash && pepperId && /^\$2[aby]\$/.test(hash) ? `$devise$k=${pepperId}${hash}` : hash;

/** A string of the other's where a locale is wanted, if it is one. */
export const locale = (value: unknown): string | undefined => {
  const found = text(value)?.replace('_', '-');
  return found && /^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}$/.test(found) ? found : undefined;
};

/** A row's number says nothing beyond its own table: the person with number 7 of another one is another. */
export const numbered = (product: string, id: unknown): string | undefined =>
  text(String(id ?? '')) && `${product}:${id}`;
