import { type Field, mayRead, mayWrite } from '../../users/index.ts';
import { type Attribute, boolean, decimal, integer, type JsonObject, reference, string } from '../schema/attribute.ts';

/** The custom fields as SCIM shows them: attributes of our extension. */
export interface CustomFields {
  attributes: Attribute[];
  /** The field behind an attribute. */
  fieldOf(attribute: string): Field | undefined;
  /** A person's values, by the attributes' names. */
  toScim(values: Record<string, unknown>): JsonObject;
  /** Values that were sent, by the fields' names; null takes one away. */
  fromScim(values: JsonObject, before: JsonObject): Record<string, unknown>;
}

/** Names of our extension that are taken. */
const taken = new Set([
  ...['state', 'statechangedat', 'emailverified', 'phonenumberverified', 'lastsigninat'],
  ...['identitystatus', 'identitystatusat'],
]);

const makers = { integer, number: decimal, boolean, url: reference } as const;

export function customFields(fields: readonly Field[]): CustomFields {
  const shown = fields
    .filter((field) => mayRead(field, { as: 'client' }))
    .map((field) => ({ name: field.scim ?? field.name, field }))
    .filter(({ name }) => !taken.has(name.toLowerCase()));
  const byName = new Map(shown.map(({ name, field }) => [name, field]));

  const attributeOf = (name: string, field: Field): Attribute => {
    const make = makers[field.type as keyof typeof makers] ?? string;
    const words = Object.values(field.label)[0] ?? field.name;
    const writable = mayWrite(field, { as: 'client', at: 'api' });
    return make(name, words, {
      multiValued: field.type === 'strings',
      required: writable && field.required,
      mutability: writable ? 'readWrite' : 'readOnly',
      ...(field.options && { canonicalValues: field.options.map(({ value }) => value) }),
    });
  };

  return {
    attributes: shown.map(({ name, field }) => attributeOf(name, field)),
    fieldOf: (attribute) => byName.get(attribute),
    toScim: (values) =>
      Object.fromEntries(
        shown
          .filter(({ field }) => values[field.name] !== undefined)
          .map(({ name, field }) => [name, values[field.name] as string]),
      ),
    fromScim(values, before) {
      const changed = shown.filter(({ name }) => JSON.stringify(values[name]) !== JSON.stringify(before[name]));
      return Object.fromEntries(changed.map(({ name, field }) => [field.name, values[name] ?? null]));
    },
  };
}
