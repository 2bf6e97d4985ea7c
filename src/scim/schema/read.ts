import { isDeepStrictEqual } from 'node:util';
import { bad } from '../faults.ts';
import { type Attribute, isObject, type Json, type JsonObject, named } from './attribute.ts';
import { type ResourceType, topAttributes } from './resource-type.ts';

const longestText = 4_096;
/** Certificates and keys. */
const longestBytes = 65_536;
/** Of one attribute of one person; members of groups are counted elsewhere. */
const mostValues = 200;

const isAbsent = (value: Json | undefined) => value === undefined || value === null || value === '';

/**
 * A value as the schema wants it: of the right type, its parts under their right names, what has no value left out.
 * Senders' own ways are put right here: "True" for true, a bare value where a complex one is meant.
 * @returns undefined for what is unassigned (null, an empty list)
 * @throws ScimFault `invalidValue`
 */
export function readValue(attribute: Attribute, value: Json | undefined, path = attribute.name): Json | undefined {
  if (!attribute.multiValued) return readOne(attribute, value, path);
  if (isAbsent(value)) return undefined;
  const list = Array.isArray(value) ? value : [value as Json];
  if (list.length > mostValues) throw bad('invalidValue', `${path} has more than ${mostValues} values`);
  const read = list.map((each) => readOne(attribute, each, path)).filter((each) => each !== undefined);
  refuseDoubles(read, path);
  return read.length > 0 ? read : undefined;
}

function refuseDoubles(list: Json[], path: string): void {
  if (list.some((each, at) => list.slice(0, at).some((other) => isDeepStrictEqual(each, other))))
    throw bad('invalidValue', `${path} has the same value twice`);
  if (list.filter((each) => isObject(each) && each.primary === true).length > 1)
    throw bad('invalidValue', `${path} has more than one primary value`);
}

/** One value of the attribute, be it multi-valued or not. */
export function readOne(attribute: Attribute, value: Json | undefined, path = attribute.name): Json | undefined {
  if (isAbsent(value)) return undefined;
  const wrong = (what: string) => bad('invalidValue', `${path} is not ${what}`);
  switch (attribute.type) {
    case 'complex':
      return readComplex(attribute, value!, path);
    case 'boolean': {
      const said = typeof value === 'string' ? { true: true, false: false }[value.toLowerCase()] : value;
      if (typeof said !== 'boolean') throw wrong('true or false');
      return said;
    }
    case 'integer':
    case 'decimal': {
      const count = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
      const isRight = typeof count === 'number' && Number.isFinite(count);
      if (!isRight || (attribute.type === 'integer' && !Number.isSafeInteger(count)))
        throw wrong(`a number (${attribute.type})`);
      return count;
    }
    case 'dateTime': {
      if (typeof value !== 'string' || Number.isNaN(Date.parse(value))) throw wrong('a time as 2011-05-13T04:42:34Z');
      return value;
    }
    default: {
      // Numbers come where an employee's number is meant.
      const text = typeof value === 'number' ? String(value) : value;
      if (typeof text !== 'string') throw wrong('a text');
      // What no database keeps.
      if (text.includes('\0') || !text.isWellFormed()) throw wrong('well-formed text');
      if (text.length > (attribute.type === 'binary' ? longestBytes : longestText))
        throw wrong('so short that it is kept');
      if (attribute.type === 'binary' && !/^[A-Za-z0-9+/\-_\s]*={0,2}$/.test(text)) throw wrong('base64');
      return text;
    }
  }
}

function readComplex(attribute: Attribute, value: Json, path: string): JsonObject | undefined {
  const subs = attribute.subAttributes!;
  // Entra tells a manager as a list of one.
  const said = Array.isArray(value) && value.length === 1 ? value[0]! : value;
  const whole = isObject(said) ? said : named(subs, 'value') ? { value: said } : undefined;
  if (!whole || Array.isArray(said)) throw bad('invalidValue', `${path} is not an object`);
  const read: JsonObject = {};
  for (const [name, part] of Object.entries(whole)) {
    const sub = named(subs, name);
    if (!sub || sub.mutability === 'readOnly') continue;
    const one = readValue(sub, part, `${path}.${sub.name}`);
    if (one !== undefined) read[sub.name] = one;
  }
  byReference(read);
  return Object.keys(read).length > 0 ? read : undefined;
}

/** Who is named by address alone is named by the id in it; the address itself we make anew at each answer. */
export function byReference(element: JsonObject): void {
  const { $ref } = element;
  delete element.$ref;
  if (typeof $ref === 'string') element.value ??= $ref.slice($ref.lastIndexOf('/') + 1);
}

/**
 * A whole resource from a request (POST, PUT): what only we say is left out (RFC 7644, section 3.3), and so is what no
 * schema knows.
 * @throws ScimFault `invalidSyntax`, `invalidValue`
 */
export function readResource(type: ResourceType, body: unknown): JsonObject {
  if (!isObject(body)) throw bad('invalidSyntax', 'the body is not a JSON object');
  const schemas = body.schemas;
  if (!Array.isArray(schemas) || !schemas.some((urn) => String(urn).toLowerCase() === type.core.id.toLowerCase()))
    throw bad('invalidSyntax', `schemas does not name ${type.core.id}`);
  const resource: JsonObject = {};
  for (const [name, value] of Object.entries(body)) {
    const extension = type.extensions.find(({ id }) => id.toLowerCase() === name.toLowerCase());
    if (extension) {
      const read = isAbsent(value) ? {} : readAttributes(extension.attributes, value, extension.id);
      if (Object.keys(read).length > 0) resource[extension.id] = read;
    } else {
      Object.assign(resource, readAttributes(topAttributes(type), { [name]: value }, ''));
    }
  }
  return resource;
}

function readAttributes(attributes: readonly Attribute[], value: Json | undefined, path: string): JsonObject {
  if (!isObject(value)) throw bad('invalidValue', `${path} is not an object`);
  const read: JsonObject = {};
  for (const [name, part] of Object.entries(value)) {
    const attribute = named(attributes, name);
    if (!attribute || attribute.mutability === 'readOnly') continue;
    const one = readValue(attribute, part);
    if (one !== undefined) read[attribute.name] = one;
  }
  return read;
}

/** @throws ScimFault `invalidValue` when something required has no value */
export function demandRequired(type: ResourceType, resource: JsonObject): void {
  const missing = type.core.attributes.find((attribute) => attribute.required && isAbsent(resource[attribute.name]));
  if (missing) throw bad('invalidValue', `${missing.name} is required`);
}
