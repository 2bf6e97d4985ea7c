import type { FieldSpec, FieldType as InputType, Problem } from '../../platform/form.ts';
import { Refusal } from '../../platform/index.ts';
import type { FieldFault } from './check.ts';
import { type Field, longest } from './definition.ts';

// Custom fields on the pages that ask people: registration and profile. Their names have a prefix there, so that none
// is taken for a field of the page's own; and no dot, which readers of forms take for nesting.

const prefix = 'attributes-';

const inputs: Partial<Record<Field['type'], InputType>> = {
  text: 'textarea',
  strings: 'textarea',
  boolean: 'checkbox',
  date: 'date',
  enum: 'select',
  url: 'url',
};

/** The fields that this page asks for. */
export const fieldsAsked = (fields: readonly Field[], page: Field['ask'][number]): Field[] =>
  fields.filter(({ ask }) => ask.includes(page));

/** What registration asks of everybody and this account has not: where they came from elsewhere, or before the field was. */
export const fieldsLacking = (fields: readonly Field[], attributes: Record<string, unknown>): Field[] =>
  fieldsAsked(fields, 'registration').filter(({ required, name }) => required && attributes[name] === undefined);

/** How they stand on a page, with the words that the operator gave them. */
export const fieldSpecs = (fields: readonly Field[]): FieldSpec[] =>
  fields.map((field) => ({
    name: prefix + field.name,
    type: inputs[field.type] ?? 'text',
    required: field.required,
    autocomplete: 'off',
    said: {
      label: field.label,
      ...(field.hint ? { hint: field.hint } : {}),
      ...(field.type === 'enum' ? { options: choices(field) } : {}),
    },
    ...(field.type === 'string' ? { maxlength: Math.min(field.max ?? longest.string, longest.string) } : {}),
    ...(field.type === 'strings' && !field.hint ? { hint: 'hint.one_per_line' } : {}),
  }));

/** An optional choice can be left, or taken back; one that must be made begins with none, too. */
const choices = ({ options = [] }: Field): Record<string, Record<string, string>> => ({
  '': { en: '–' },
  ...Object.fromEntries(options.map(({ value, label }) => [value, label ?? { en: value }])),
});

/** What was typed, by the name of the field. A box that is not ticked says no. */
export const typedValues = (
  fields: readonly Field[],
  form: Record<string, string | undefined>,
): Record<string, unknown> =>
  Object.fromEntries(
    fields.flatMap((field): [string, unknown][] => {
      const text = form[prefix + field.name];
      if (field.type === 'boolean') return [[field.name, text !== undefined]];
      return text === undefined ? [] : [[field.name, text.trim()]];
    }),
  );

/** What a person has, as it stands in the form. */
export const formValues = (
  fields: readonly Field[],
  attributes: Record<string, unknown>,
): Record<string, string | boolean> =>
  Object.fromEntries(
    fields.flatMap(({ name }) => {
      const value = attributes[name];
      if (value === undefined || value === null) return [];
      return [[prefix + name, typeof value === 'boolean' ? value : [value].flat().join('\n')]];
    }),
  );

/** What is wrong with each, for the form; undefined for any other error. */
export function fieldProblems(error: unknown): (Problem & { field: string })[] | undefined {
  if (!(error instanceof Refusal) || error.code !== 'user.attributes_invalid') return undefined;
  return Object.entries(error.details as unknown as Record<string, FieldFault>).map(([name, { code, params }]) => ({
    field: prefix + name,
    code,
    ...(params ? { params } : {}),
  }));
}
