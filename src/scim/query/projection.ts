import { bad } from '../faults.ts';
import { shown } from '../filter/parse.ts';
import { isObject, type Json, type JsonObject } from '../schema/attribute.ts';
import { findPlace, type ResourceType } from '../schema/resource-type.ts';
import type { Selection } from './request.ts';

/** `extension` is '' for the core; `attribute` undefined for an extension as a whole. */
interface Named {
  extension: string;
  attribute?: string;
  sub?: string;
}

const always = new Set(['schemas', 'id']);

const read = (type: ResourceType, names: readonly string[]): Named[] =>
  names.flatMap((name) => {
    if (name.toLowerCase() === 'schemas') return [];
    const found = findPlace(type, name);
    // Unknown ones are passed over: some clients ask every server for the same list.
    if (!found) return [];
    if (!found.attribute) return [{ extension: found.extension.id }];
    const { extension, attribute, sub } = found;
    return [{ extension: extension?.id ?? '', attribute: attribute.name, ...(sub && { sub: sub.name }) }];
  });

/** @throws ScimFault `invalidValue` when both are given (RFC 7644, section 3.9) */
export function checkSelection({ attributes, excludedAttributes }: Selection): void {
  if (attributes && excludedAttributes)
    throw bad('invalidValue', `attributes (${shown(attributes.join())}) and excludedAttributes exclude each other`);
}

/** Whether an attribute of the core will be seen, so that what is dear is not looked up for nothing. */
export function wants(type: ResourceType, selection: Selection, attribute: string): boolean {
  const isIt = (named: Named) => named.extension === '' && named.attribute === attribute;
  if (selection.attributes) return read(type, selection.attributes).some(isIt);
  return !read(type, selection.excludedAttributes ?? []).some((named) => isIt(named) && !named.sub);
}

/** The resource as it was asked for; id and schemas are in it always. */
export function project(type: ResourceType, resource: JsonObject, selection: Selection): JsonObject {
  if (selection.attributes) return only(read(type, selection.attributes), resource);
  if (selection.excludedAttributes) return without(read(type, selection.excludedAttributes), resource);
  return resource;
}

function only(named: Named[], resource: JsonObject): JsonObject {
  const kept: JsonObject = Object.fromEntries(Object.entries(resource).filter(([name]) => always.has(name)));
  for (const { extension, attribute, sub } of named) {
    const source = extension ? resource[extension] : resource;
    if (!isObject(source)) continue;
    if (attribute === undefined) {
      kept[extension] = source;
      continue;
    }
    const target = extension ? { ...(kept[extension] as JsonObject | undefined) } : kept;
    const value = source[attribute];
    if (value !== undefined) target[attribute] = sub ? merge(target[attribute], part(value, sub)) : value;
    if (extension && Object.keys(target).length > 0) kept[extension] = target;
  }
  return kept;
}

const part = (value: Json, sub: string): Json =>
  Array.isArray(value)
    ? value.map((each) => part(each, sub))
    : isObject(value) && value[sub] !== undefined
      ? { [sub]: value[sub] }
      : {};

/** Two parts of one attribute may be asked for. */
const merge = (before: Json | undefined, after: Json): Json => {
  if (Array.isArray(before) && Array.isArray(after)) return before.map((each, at) => merge(each, after[at] ?? {}));
  return isObject(before) && isObject(after) ? { ...before, ...after } : after;
};

function without(named: Named[], resource: JsonObject): JsonObject {
  const kept = { ...resource };
  for (const { extension, attribute, sub } of named) {
    if (attribute === undefined) {
      delete kept[extension];
      continue;
    }
    if (extension === '' && always.has(attribute)) continue;
    const holder = (extension ? { ...(kept[extension] as JsonObject | undefined) } : kept) as JsonObject;
    if (sub) holder[attribute] = dropped(holder[attribute], sub);
    else delete holder[attribute];
    if (extension && kept[extension] !== undefined) kept[extension] = holder;
  }
  return kept;
}

const dropped = (value: Json | undefined, sub: string): Json | undefined => {
  if (Array.isArray(value)) return value.map((each) => dropped(each, sub) as Json);
  if (!isObject(value)) return value;
  const { [sub]: _, ...rest } = value;
  return rest;
};
