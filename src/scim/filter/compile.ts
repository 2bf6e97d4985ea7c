import { bad } from '../faults.ts';
import { type Attribute, named } from '../schema/attribute.ts';
import { findPlace, type Place, type ResourceType } from '../schema/resource-type.ts';
import type { Comparison, Filter, Value } from './ast.ts';
import { partOf } from './match.ts';
import { shown } from './parse.ts';

/** Where the database keeps an attribute. */
export interface Expression {
  /** SQL of our own; nothing a client sent is ever in it. */
  sql: string;
  kind: 'text' | 'timestamp' | 'boolean' | 'json' | 'uuid';
  /** The expression is folded already; what it is compared with is made like it by this. */
  key?: (text: string) => string;
  /** The expression is in small letters already, by the database's own reckoning. */
  lowered?: true;
}

/** How one kind of resource is kept. */
export interface Columns {
  single(place: Place): Expression | undefined;
  /** A FROM item that gives each element of a multi-valued attribute as a jsonb `e`. */
  elements(attribute: Attribute): string | undefined;
  /** A condition that an index answers, where there is one for just this. @param add takes a parameter, gives its `$n` */
  quick?(place: Place, operator: Comparison, value: Value, add: (value: unknown) => string): string | undefined;
}

/** The parameters of a statement that is being put together. */
export function createParameters() {
  const values: unknown[] = [];
  return {
    values,
    add(value: unknown): string {
      values.push(value);
      return `$${values.length}`;
    },
  };
}
export type Parameters = ReturnType<typeof createParameters>;

const signs: Record<string, string> = { gt: '>', ge: '>=', lt: '<', le: '<=' };

/**
 * Turns a filter into a condition with parameters. What a client sent is a parameter or looked up in the schema, never
 * a part of the text.
 * @throws ScimFault `invalidFilter` for what the schema does not know and comparisons that make no sense
 */
export function compileFilter(filter: Filter, type: ResourceType, columns: Columns, parameters: Parameters): string {
  const { add } = parameters;

  const place = (path: string): Place => {
    const found = findPlace(type, path);
    if (!found?.attribute) throw bad('invalidFilter', `there is no attribute ${shown(path)}`);
    if (found.attribute.returned === 'never') throw bad('sensitive', `${found.attribute.name} cannot be filtered by`);
    return found;
  };

  /** `emails co "x"` means their values, `manager eq "x"` its value: the sub-attribute that stands for the whole. */
  const whole = (found: Place): Place => {
    const { attribute, sub } = found;
    if (attribute.type !== 'complex' || sub) return found;
    const value = named(attribute.subAttributes!, 'value');
    if (!value) throw bad('invalidFilter', `${attribute.name} has parts: name one of them`);
    return { ...found, sub: value };
  };

  const inElement = (attribute: Attribute, part: Filter): string => {
    const resolve = (path: string): { attribute: Attribute; expression: Expression } => {
      const sub = partOf(attribute, path);
      if (!sub) throw bad('invalidFilter', `${attribute.name} has no part ${shown(path)}`);
      return { attribute: sub, expression: sub === attribute ? elementItself : elementPart(sub) };
    };
    return logic(part, (leaf) => {
      if (leaf.kind === 'element') throw bad('invalidFilter', 'one [ ] cannot stand in another');
      const { attribute: sub, expression } = resolve(leaf.path);
      return leaf.kind === 'present' ? isPresent(expression) : compare(sub, expression, leaf.operator, leaf.value, add);
    });
  };

  const exists = (attribute: Attribute, condition: string): string => {
    const source = columns.elements(attribute);
    if (!source) throw bad('invalidFilter', `${attribute.name} cannot be filtered by`);
    return `exists (select 1 from ${source} where ${condition})`;
  };

  const single = (found: Place): Expression => {
    const expression = columns.single(found);
    if (!expression) throw bad('invalidFilter', `${found.attribute.name} cannot be filtered by`);
    return expression;
  };

  return logic(filter, (leaf) => {
    const found = place(leaf.path);
    const { attribute } = found;
    if (leaf.kind === 'element') {
      if (!attribute.multiValued || found.sub) throw bad('invalidFilter', `${shown(leaf.path)} has no elements`);
      return exists(attribute, inElement(attribute, leaf.filter));
    }
    if (leaf.kind === 'present') {
      if (attribute.multiValued) return exists(attribute, found.sub ? isPresent(elementPart(found.sub)) : 'true');
      if (attribute.type !== 'complex' || found.sub) return isPresent(single(found));
      const parts = attribute.subAttributes!.map((sub) => columns.single({ ...found, sub }));
      return `(${parts
        .filter((part) => part !== undefined)
        .map(isPresent)
        .join(' or ')})`;
    }
    const meant = whole(found);
    const target = meant.sub ?? attribute;
    const quick = columns.quick?.(meant, leaf.operator, leaf.value, add);
    if (quick) return quick;
    if (!attribute.multiValued) return compare(target, single(meant), leaf.operator, leaf.value, add);
    const expression: Expression = meant.sub ? elementPart(target) : elementItself;
    return exists(attribute, compare(target, expression, leaf.operator, leaf.value, add));
  });
}

type Leaf = Extract<Filter, { kind: 'present' | 'compare' | 'element' }>;

/** SQL's null is neither true nor false; `is not true` makes the opposite of what has no value true, as SCIM means it. */
function logic(filter: Filter, leaf: (leaf: Leaf) => string): string {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return `(${filter.parts.map((part) => logic(part, leaf)).join(` ${filter.kind} `)})`;
    case 'not':
      return `((${logic(filter.part, leaf)}) is not true)`;
    default:
      return leaf(filter);
  }
}

const elementItself: Expression = { sql: `(e #>> '{}')`, kind: 'text' };

/** A part of an element; the name is the schema's. */
const elementPart = ({ name, type }: Attribute): Expression => {
  const text = `(e ->> '${name.replaceAll("'", "''")}')`;
  return type === 'boolean' ? { sql: `${text}::boolean`, kind: 'boolean' } : { sql: text, kind: 'text' };
};

const isPresent = ({ sql, kind }: Expression): string =>
  kind === 'text' ? `(${sql} is not null and ${sql} <> '')` : `(${sql} is not null)`;

function compare(
  attribute: Attribute,
  expression: Expression,
  operator: Comparison,
  value: Value,
  add: (value: unknown) => string,
): string {
  const { sql, kind } = expression;
  if (value === null) {
    if (operator === 'eq') return `(${sql} is null)`;
    if (operator === 'ne') return `(${sql} is not null)`;
    throw bad('invalidFilter', 'null can only be equal or not');
  }
  const wrong = () =>
    bad('invalidFilter', `${attribute.name} cannot be compared by ${operator} with ${shown(JSON.stringify(value))}`);
  const ordinary = (right: string, left = sql) => {
    if (operator === 'eq') return `${left} = ${right}`;
    if (operator === 'ne') return `${left} is distinct from ${right}`;
    const sign = signs[operator];
    if (!sign) throw wrong();
    return `${left} ${sign} ${right}`;
  };

  switch (kind) {
    case 'boolean': {
      // Senders write "True" for true.
      const asked = typeof value === 'string' ? { true: true, false: false }[value.toLowerCase()] : value;
      if (typeof asked !== 'boolean' || !['eq', 'ne'].includes(operator)) throw wrong();
      return ordinary(`${add(asked)}::boolean`);
    }
    case 'json': {
      const isNumber = attribute.type === 'integer' || attribute.type === 'decimal';
      if (typeof value !== (isNumber ? 'number' : attribute.type === 'boolean' ? 'boolean' : 'string')) throw wrong();
      return ordinary(`${add(JSON.stringify(value))}::jsonb`);
    }
    case 'timestamp': {
      const time = typeof value === 'string' ? new Date(value) : undefined;
      if (!time || Number.isNaN(time.getTime())) throw wrong();
      // Kept in microseconds, told and asked in milliseconds.
      return ordinary(`${add(time.toISOString())}::timestamptz`, `date_trunc('milliseconds', ${sql})`);
    }
    default: {
      if (typeof value !== 'string') throw wrong();
      if (value.includes('\0') || !value.isWellFormed()) throw wrong();
      return compareText(attribute, expression, operator, value, { add, ordinary });
    }
  }
}

const isUuid = (text: string) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);

function compareText(
  { caseExact }: Attribute,
  { sql: as, kind, key, lowered }: Expression,
  operator: Comparison,
  value: string,
  { add, ordinary }: { add: (value: unknown) => string; ordinary: (right: string, left?: string) => string },
): string {
  if (kind === 'uuid' && operator === 'eq') return isUuid(value) ? `${as} = ${add(value)}::uuid` : 'false';
  const sql = kind === 'uuid' ? `${as}::text` : as;
  const pattern = { co: ['%', '%'], sw: ['', '%'], ew: ['%', ''] }[operator as string];
  const asIs = caseExact || kind === 'uuid';
  const left = asIs || key || lowered ? sql : `lower(${sql})`;
  if (pattern) {
    const escaped = (key ? key(value) : value).replace(/[\\%_]/g, '\\$&');
    const parameter = `${add(`${pattern[0]}${escaped}${pattern[1]}`)}::text`;
    return `${left} like ${asIs || key ? parameter : `lower(${parameter})`}`;
  }
  const parameter = `${add(key ? key(value) : value)}::text`;
  return ordinary(asIs || key ? parameter : `lower(${parameter})`, left);
}
