import { bad } from '../faults.ts';
import { type Attribute, isObject, type Json, type JsonObject, named } from '../schema/attribute.ts';
import type { Comparison, Filter, Value } from './ast.ts';
import { shown } from './parse.ts';

/**
 * Whether an element of a multi-valued attribute meets the filter of a PATCH path.
 * @throws ScimFault `invalidPath` for a part that the schema does not know
 */
export function matches(attribute: Attribute, filter: Filter, element: Json): boolean {
  switch (filter.kind) {
    case 'and':
      return filter.parts.every((part) => matches(attribute, part, element));
    case 'or':
      return filter.parts.some((part) => matches(attribute, part, element));
    case 'not':
      return !matches(attribute, filter.part, element);
    case 'element':
      throw bad('invalidPath', 'one [ ] cannot stand in another');
    default: {
      const sub = partOf(attribute, filter.path);
      if (!sub) throw bad('invalidPath', `${attribute.name} has no part ${shown(filter.path)}`);
      const held = sub === attribute ? element : isObject(element) ? element[sub.name] : undefined;
      if (filter.kind === 'present') return held !== undefined && held !== null && held !== '';
      return compares(sub, held, filter.operator, filter.value);
    }
  }
}

/** `value` of what has no parts is the value itself. */
export const partOf = (attribute: Attribute, name: string): Attribute | undefined =>
  attribute.subAttributes
    ? named(attribute.subAttributes, name)
    : name.toLowerCase() === 'value'
      ? attribute
      : undefined;

function compares(attribute: Attribute, held: Json | undefined, operator: Comparison, wanted: Value): boolean {
  if (attribute.type === 'boolean') {
    const asked = typeof wanted === 'string' ? { true: true, false: false }[wanted.toLowerCase()] : wanted;
    // A part that is not there says no: `primary eq false` means those that are not.
    if (operator === 'eq') return (held ?? false) === asked;
    if (operator === 'ne') return (held ?? false) !== asked;
    throw bad('invalidPath', `${attribute.name} is either true or false`);
  }
  if (wanted === null) return operator === 'ne' ? held != null : held == null;
  const fold = (value: unknown) => (attribute.caseExact ? String(value) : String(value).toLowerCase());
  if (held === undefined || held === null) return operator === 'ne';
  const [a, b] = [fold(held), fold(wanted)];
  switch (operator) {
    case 'eq':
      return a === b;
    case 'ne':
      return a !== b;
    case 'co':
      return a.includes(b);
    case 'sw':
      return a.startsWith(b);
    case 'ew':
      return a.endsWith(b);
    case 'gt':
      return a > b;
    case 'ge':
      return a >= b;
    case 'lt':
      return a < b;
    case 'le':
      return a <= b;
  }
}

/** The parts that a filter demands by `eq`, for an element that is to be made by it; undefined when it says more. */
export function demanded(attribute: Attribute, filter: Filter): JsonObject | undefined {
  if (filter.kind === 'and') {
    const parts = filter.parts.map((part) => demanded(attribute, part));
    return parts.includes(undefined) ? undefined : Object.assign({}, ...parts);
  }
  if (filter.kind !== 'compare' || filter.operator !== 'eq') return undefined;
  const sub = named(attribute.subAttributes ?? [], filter.path);
  if (!sub) return undefined;
  const isTrue = typeof filter.value === 'string' && filter.value.toLowerCase() === 'true';
  return { [sub.name]: sub.type === 'boolean' ? isTrue || filter.value === true : filter.value };
}
