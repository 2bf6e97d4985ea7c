import { z } from 'zod';
import { peppered, type Source } from './source.ts';

/** The map of a CSV file: which column each field comes from. */
export const mapSchema = z.strictObject({
  delimiter: z
    .string()
    .regex(/^[,;|\t]$/)
    .optional(),
  fields: z
    .record(
      z
        .string()
        .regex(/^[A-Za-z]+(\.[\w:-]+)?$/)
        .max(100),
      z.union([
        z.string().max(200),
        z.strictObject({
          column: z.string().max(200).optional(),
          /** The same for everybody. */
          value: z.union([z.string().max(500), z.boolean(), z.number()]).optional(),
          /** Cuts the text into a list. */
          split: z.string().min(1).max(5).optional(),
          /** What is written, and what it means. */
          values: z.record(z.string(), z.union([z.string(), z.boolean()])).optional(),
        }),
      ]),
    )
    .optional(),
});

export type FieldMap = z.output<typeof mapSchema>;

const lists = new Set(['groups', 'roles', 'recoveryCodes']);
const flags = new Set(['emailVerified', 'administrator']);

/**
 * A CSV file by its map; without one the columns are called as the fields are (`profile.nickname`, `attributes.team`).
 * Empty cells say nothing. Lists are cut at `|`.
 */
export function mapped(map: FieldMap | undefined): Source {
  const columns = Object.values(map?.fields ?? {}).map((how) => (typeof how === 'string' ? how : how.column));
  return {
    how: 'csv',
    needs: [...new Set(columns.filter((column) => column !== undefined))],
    convert(raw, context) {
      const record: Record<string, unknown> = {};
      const fields = map?.fields ?? Object.fromEntries(Object.keys(raw).map((column) => [column, column]));
      for (const [field, how] of Object.entries(fields)) {
        const { column, value, split, values } = typeof how === 'string' ? { column: how } : how;
        const cell = column === undefined ? undefined : String(raw[column] ?? '').trim();
        const given = cell ? (values && Object.hasOwn(values, cell) ? values[cell] : cell) : value;
        // No column may reach a prototype.
        if (given !== undefined && !field.startsWith('_')) put(record, field, shaped(field, given, split));
      }
      if (typeof record.passwordHash === 'string') record.passwordHash = peppered(record.passwordHash, context);
      return record;
    },
  };
}

function shaped(field: string, given: string | boolean | number, split: string | undefined): unknown {
  if (typeof given !== 'string') return given;
  if (split !== undefined || lists.has(field)) {
    return given
      .split(split ?? '|')
      .map((item) => item.trim())
      .filter(Boolean);
  }
  if (flags.has(field) && /^(true|yes|y|1)$/i.test(given)) return true;
  if (flags.has(field) && /^(false|no|n|0)$/i.test(given)) return false;
  return given;
}

function put(record: Record<string, unknown>, field: string, value: unknown): void {
  const dot = field.indexOf('.');
  if (dot < 0) {
    record[field] = value;
    return;
  }
  const [outer, inner] = [field.slice(0, dot), field.slice(dot + 1)];
  const into = Object.hasOwn(record, outer) ? record[outer] : undefined;
  record[outer] = { ...(into as object | undefined), [inner]: value };
}
