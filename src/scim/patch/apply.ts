import { isDeepStrictEqual } from 'node:util';
import { bad } from '../faults.ts';
import type { Filter } from '../filter/ast.ts';
import { demanded, matches } from '../filter/match.ts';
import { parsePatchPath, shown } from '../filter/parse.ts';
import { type Attribute, isObject, type Json, type JsonObject, named } from '../schema/attribute.ts';
import { byReference, readOne, readValue } from '../schema/read.ts';
import { findPlace, type Place, type ResourceType } from '../schema/resource-type.ts';
import type { PatchOperation } from './request.ts';

/** What an operation is aimed at. */
interface Target extends Place {
  filter?: Filter;
}

/**
 * Applies the operations, one after the other, to a copy (RFC 7644, section 3.5.2). All or nothing: the first that is
 * wrong throws.
 *
 * Real senders' forms are taken: values without a path, each name of which may be a path of its own with a dot or a
 * URN in it; bare values where complex ones are meant; elements named by value at `remove`.
 * @throws ScimFault `invalidPath`, `noTarget`, `mutability`, `invalidValue`
 */
export function applyPatch(
  type: ResourceType,
  resource: JsonObject,
  operations: readonly PatchOperation[],
): JsonObject {
  const patched = structuredClone(resource);
  for (const operation of operations) applyOne(type, patched, operation);
  return patched;
}

/** What senders tell along with what they change. */
const told = new Set(['schemas', 'id', 'meta']);

function applyOne(type: ResourceType, resource: JsonObject, operation: PatchOperation): void {
  const { op, path, value } = operation;
  if (path === undefined) {
    if (!isObject(value)) throw bad('invalidValue', 'without a path the value is an object');
    for (const [name, part] of Object.entries(value)) {
      if (told.has(name.toLowerCase())) continue;
      applyOne(type, resource, { op, path: name, value: part });
    }
    return;
  }
  const { path: plain, filter, sub } = parsePatchPath(path);
  const found = findPlace(type, sub === undefined ? plain : `${plain}.${sub}`);
  if (!found) throw bad('invalidPath', `there is no attribute ${shown(path)}`);
  if (!found.attribute) {
    applyToExtension(type, resource, operation, found.extension.id);
    return;
  }
  const { attribute } = found;
  if (filter && !attribute.multiValued) throw bad('invalidPath', `${attribute.name} has no elements`);
  refuseReadOnly(found, op, filter !== undefined);
  const holder = holderOf(resource, found);
  const target: Target = { ...found, ...(filter && { filter }) };
  if (attribute.multiValued) toMany(holder, target, operation);
  else toSingle(holder, target, operation);
  if (found.extension && Object.keys(holder).length === 0) delete resource[found.extension.id];
}

/** The extension's object, made when there is none yet; else the resource itself. */
function holderOf(resource: JsonObject, { extension }: Place): JsonObject {
  if (!extension) return resource;
  const holder = (resource[extension.id] ?? {}) as JsonObject;
  resource[extension.id] = holder;
  return holder;
}

/** An extension's URN alone: its attributes, as many as are named. */
function applyToExtension(type: ResourceType, resource: JsonObject, { op, value }: PatchOperation, id: string): void {
  if (op === 'remove') {
    delete resource[id];
    return;
  }
  if (!isObject(value)) throw bad('invalidValue', `${id} is not an object`);
  for (const [name, part] of Object.entries(value)) {
    if (!told.has(name.toLowerCase())) applyOne(type, resource, { op, path: `${id}:${name}`, value: part });
  }
}

function refuseReadOnly({ attribute, sub }: Place, op: string, isElement: boolean): void {
  const fixed = attribute.mutability === 'readOnly' || sub?.mutability === 'readOnly';
  const immutable = isElement && sub?.mutability === 'immutable';
  if (fixed || immutable)
    throw bad('mutability', `${[attribute.name, sub?.name].filter(Boolean).join('.')} cannot be changed`);
  if (op === 'remove' && attribute.required && !sub) throw bad('mutability', `${attribute.name} is required`);
}

function set(holder: JsonObject, attribute: Attribute, value: Json | undefined): void {
  if (value !== undefined) holder[attribute.name] = value;
  else if (attribute.required) throw bad('mutability', `${attribute.name} is required`);
  else delete holder[attribute.name];
}

function toSingle(holder: JsonObject, { attribute, sub }: Target, { op, value }: PatchOperation): void {
  if (op === 'remove' && !sub) {
    set(holder, attribute, undefined);
    return;
  }
  if (sub) {
    const whole = { ...(holder[attribute.name] as JsonObject | undefined) };
    if (sub.name === '$ref') delete whole.value;
    set(whole, sub, op === 'remove' ? undefined : readValue(sub, value, `${attribute.name}.${sub.name}`));
    byReference(whole);
    set(holder, attribute, Object.keys(whole).length > 0 ? whole : undefined);
    return;
  }
  const read = readOne(attribute, value);
  const before = holder[attribute.name];
  // Parts that are not named stay as they are.
  set(
    holder,
    attribute,
    attribute.type === 'complex' && isObject(read) && isObject(before) ? { ...before, ...read } : read,
  );
}

function toMany(holder: JsonObject, target: Target, operation: PatchOperation): void {
  const { attribute } = target;
  const before = (holder[attribute.name] ?? []) as Json[];
  const after =
    target.filter || target.sub ? toElements(before, target, operation) : toWhole(before, attribute, operation);
  set(holder, attribute, after.length > 0 ? after : undefined);
}

/** The whole list is meant. */
function toWhole(before: Json[], attribute: Attribute, { op, value }: PatchOperation): Json[] {
  if (op === 'remove') {
    if (value === undefined || value === null) return [];
    // Not in the standard, but sent: the elements to remove are told by value.
    const gone = (readValue(attribute, value) ?? []) as Json[];
    return before.filter((element) => !gone.some((each) => covers(attribute, each, element)));
  }
  const read = (readValue(attribute, value) ?? []) as Json[];
  if (op === 'replace') return read;
  const after = [...before];
  const fresh: Json[] = [];
  for (const element of read) {
    const at = after.findIndex((each) => isSame(attribute, each, element));
    // What is there already stays as it is, but may become the primary one.
    const next = at < 0 ? element : isPrimary(element) ? { ...(after[at] as JsonObject), primary: true } : undefined;
    if (next === undefined) continue;
    after.splice(at < 0 ? after.length : at, 1, next);
    fresh.push(next);
  }
  return withOnePrimary(after, fresh);
}

const isPrimary = (element: Json): boolean => isObject(element) && element.primary === true;

/** Each part that is told must be so. */
const covers = (attribute: Attribute, told: Json, element: Json): boolean =>
  isObject(told) && isObject(element)
    ? Object.entries(told).every(([name, value]) =>
        alike(named(attribute.subAttributes ?? [], name), value, element[name]),
      )
    : isDeepStrictEqual(told, element);

function alike(attribute: Attribute | undefined, a: Json | undefined, b: Json | undefined): boolean {
  if (typeof a === 'string' && typeof b === 'string' && !attribute?.caseExact)
    return a.toLowerCase() === b.toLowerCase();
  return isDeepStrictEqual(a, b);
}

/** Two elements are one when all they say is the same; the mark of the primary one aside. */
const isSame = (attribute: Attribute, a: Json, b: Json): boolean => {
  const bare = (element: Json) => (isObject(element) ? { ...element, primary: undefined } : element);
  return covers(attribute, bare(a), bare(b)) && covers(attribute, bare(b), bare(a));
};

/** Certain elements are meant, or one part of them. */
function toElements(before: Json[], { attribute, filter, sub }: Target, { op, value }: PatchOperation): Json[] {
  const isMeant = (element: Json) => !filter || matches(attribute, filter, element);
  const meant = before.filter(isMeant);
  if (meant.length === 0) {
    const made = op === 'add' ? makeElement(attribute, filter, sub, value) : undefined;
    if (made !== undefined) return withOnePrimary([...before, made], [made]);
    throw bad('noTarget', `no value of ${attribute.name} is meant by the path`);
  }
  if (op === 'remove' && !sub) return before.filter((element) => !meant.includes(element));
  const changed: Json[] = [];
  const after = before.map((element) => {
    if (!meant.includes(element)) return element;
    const next = changeElement(attribute, element, sub, op, value);
    if (next !== undefined) changed.push(next);
    return next;
  });
  return withOnePrimary(
    after.filter((element) => element !== undefined),
    changed,
  );
}

function changeElement(
  attribute: Attribute,
  element: Json,
  sub: Attribute | undefined,
  op: PatchOperation['op'],
  value: Json | undefined,
): Json | undefined {
  if (!sub) {
    const read = readOne(attribute, value);
    // `add` adds to what is there, `replace` puts the new in its place.
    return op === 'add' && isObject(element) && isObject(read) ? { ...element, ...read } : read;
  }
  const whole = { ...(element as JsonObject) };
  set(whole, sub, op === 'remove' ? undefined : readValue(sub, value, `${attribute.name}.${sub.name}`));
  return whole;
}

/** There is none yet, and the filter says what it has to be: it is made so. */
function makeElement(
  attribute: Attribute,
  filter: Filter | undefined,
  sub: Attribute | undefined,
  value: Json | undefined,
): Json | undefined {
  const start = filter ? demanded(attribute, filter) : {};
  if (!start) return undefined;
  return readOne(
    attribute,
    sub ? { ...start, [sub.name]: value } : { ...start, ...(isObject(value) ? value : { value }) },
  );
}

/** Who becomes primary takes it from the one before (RFC 7644, section 3.5.2). */
function withOnePrimary(list: Json[], fresh: readonly Json[]): Json[] {
  const winner = fresh.findLast(isPrimary);
  if (!winner) return list;
  return list.map((element) =>
    element !== winner && isPrimary(element) ? { ...(element as JsonObject), primary: false } : element,
  );
}
