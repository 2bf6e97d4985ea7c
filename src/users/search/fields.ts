import { Refusal } from '../../platform/index.ts';
import type { Field } from '../fields/definition.ts';
import type { Fields } from '../fields/fields.ts';
import { comparesAs, fieldExpression } from '../fields/maintain.ts';
import { asked, type FieldCondition } from './conditions.ts';

/** How a searchable field is compared with what was asked for; other fields have no index and are not searched. */
export function createFieldConditions({ fields }: { fields: Pick<Fields, 'find'> }) {
  return async (name: string): Promise<FieldCondition | undefined> => {
    const field = await fields.find(name);
    return field?.searchable ? (_, value, param) => conditionOn(field, value, param) : undefined;
  };
}

function conditionOn(field: Field, given: string, param: (value: unknown) => string): string {
  const expression = fieldExpression(field, 'u');
  const { value, prefix } = asked(given);
  switch (comparesAs(field.type)) {
    case 'list':
      return `${expression} @> jsonb_build_array(${param(given)}::text)`;
    case 'json':
      return `${expression} = ${param(JSON.stringify(jsonOf(field, given)))}::jsonb`;
    default:
      return prefix
        ? `${expression} like lower(${param(value.replace(/[\\%_]/g, '\\$&'))}) || '%'`
        : `${expression} = lower(${param(given)}) collate "C"`;
  }
}

function jsonOf({ name, type }: Field, text: string): unknown {
  if (type === 'date') return text;
  const value = type === 'boolean' ? { true: true, false: false }[text] : Number(text);
  if (value !== undefined && !(typeof value === 'number' && (text.trim() === '' || !Number.isFinite(value))))
    return value;
  throw new Refusal('field.malformed', { kind: 'invalid', details: { field: name } });
}
