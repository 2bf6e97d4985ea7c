/** What a schema says of one attribute (RFC 7643, section 7). Everything that reads, checks or compares asks this. */
export interface Attribute {
  name: string;
  type: 'string' | 'boolean' | 'decimal' | 'integer' | 'dateTime' | 'reference' | 'binary' | 'complex';
  multiValued: boolean;
  required: boolean;
  caseExact: boolean;
  mutability: 'readOnly' | 'readWrite' | 'immutable' | 'writeOnly';
  returned: 'always' | 'never' | 'default' | 'request';
  uniqueness: 'none' | 'server';
  description: string;
  canonicalValues?: string[];
  referenceTypes?: string[];
  subAttributes?: Attribute[];
}

export interface Schema {
  id: string;
  name: string;
  description: string;
  attributes: Attribute[];
}

/** A resource as JSON: core attributes by name, extensions by their URN. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json | undefined };
export type JsonObject = { [name: string]: Json | undefined };

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

type More = Partial<Omit<Attribute, 'name' | 'type' | 'description'>>;

const make =
  (type: Attribute['type']) =>
  (name: string, description: string, more: More = {}): Attribute => ({
    name,
    type,
    multiValued: false,
    required: false,
    // References and bytes are compared as they are written (RFC 7643, section 2.3).
    caseExact: type === 'reference' || type === 'binary',
    mutability: 'readWrite',
    returned: 'default',
    uniqueness: 'none',
    description,
    ...more,
  });

export const string = make('string');
export const boolean = make('boolean');
export const dateTime = make('dateTime');
export const reference = make('reference');
export const binary = make('binary');
export const decimal = make('decimal');
export const integer = make('integer');

export const complex = (name: string, description: string, subAttributes: Attribute[], more: More = {}): Attribute => ({
  ...make('complex')(name, description, more),
  subAttributes,
});

export const readOnly = { mutability: 'readOnly' } as const;

/** The usual four of a multi-valued attribute (RFC 7643, section 2.4). */
export const values = (
  name: string,
  description: string,
  { value = string('value', 'The value'), types }: { value?: Attribute; types?: string[] } = {},
): Attribute =>
  complex(
    name,
    description,
    [
      value,
      string('display', 'The value, for people to read'),
      string('type', 'What it is for', types ? { canonicalValues: types } : {}),
      boolean('primary', 'Whether it is the preferred one; at most one is'),
    ],
    { multiValued: true },
  );

/** By name, whatever the case (RFC 7643, section 2.1). */
export const named = (attributes: readonly Attribute[], name: string): Attribute | undefined => {
  const wanted = name.toLowerCase();
  return attributes.find((attribute) => attribute.name.toLowerCase() === wanted);
};
