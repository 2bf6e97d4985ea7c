import { bad } from '../faults.ts';
import type { Filter } from '../filter/ast.ts';
import { matches } from '../filter/match.ts';
import { parsePatchPath, shown } from '../filter/parse.ts';
import type { PatchOperation } from '../patch/request.ts';
import { type Attribute, isObject, type Json, type JsonObject, named } from '../schema/attribute.ts';
import { readOne } from '../schema/read.ts';
import { findPlace, groupType } from '../schema/resource-type.ts';

/** What a PATCH does to a group, one step after the other. Members are told by id, so that nobody reads them all. */
export type GroupStep =
  | { kind: 'facts'; facts: { displayName?: string; externalId?: string | null } }
  | { kind: 'add' | 'remove' | 'replace'; members: string[] }
  /** Who meets it goes. */
  | { kind: 'removeThose'; isMeant: (member: JsonObject) => boolean };

const members = named(groupType.core.attributes, 'members') as Attribute;

/** More at once than any sender writes. */
export const mostMembers = 200_000;

/** Ids of the members that are named: objects with a value, or bare ids. @throws ScimFault `invalidValue` */
export function memberIds(value: Json | undefined): string[] {
  if (value === undefined || value === null) return [];
  const list = Array.isArray(value) ? value : [value];
  if (list.length > mostMembers) throw bad('tooMany', `more than ${mostMembers} members at once`);
  return list.map((each) => {
    const member =
      isObject(each) || typeof each === 'string' ? (readOne(members, each) as JsonObject | undefined) : undefined;
    if (typeof member?.value !== 'string') throw bad('invalidValue', 'a member has no value');
    return member.value.toLowerCase();
  });
}

/** @throws ScimFault `invalidPath`, `invalidValue`, `mutability`, `noTarget` */
export function groupSteps(operations: readonly PatchOperation[]): GroupStep[] {
  return operations.flatMap(stepsOf);
}

function stepsOf({ op, path, value }: PatchOperation): GroupStep[] {
  if (path === undefined) {
    if (!isObject(value)) throw bad('invalidValue', 'without a path the value is an object');
    // Okta tells the id along with the facts.
    const parts = Object.entries(value).filter(([name]) => !['schemas', 'id', 'meta'].includes(name.toLowerCase()));
    return parts.flatMap(([name, part]) => stepsOf({ op, path: name, value: part }));
  }
  const { path: plain, filter, sub } = parsePatchPath(path);
  const found = findPlace(groupType, sub === undefined ? plain : `${plain}.${sub}`);
  if (!found?.attribute) throw bad('invalidPath', `there is no attribute ${shown(path)}`);
  const { attribute } = found;
  if (attribute === members) return [memberStep(op, filter, found.sub, value)];
  if (filter) throw bad('invalidPath', `${attribute.name} has no elements`);
  if (attribute.mutability === 'readOnly') throw bad('mutability', `${attribute.name} cannot be changed`);
  const text = op === 'remove' ? undefined : readOne(attribute, value);
  if (attribute.required && text === undefined) throw bad('mutability', `${attribute.name} is required`);
  return [{ kind: 'facts', facts: { [attribute.name]: (text as string | undefined) ?? null } }];
}

function memberStep(
  op: PatchOperation['op'],
  filter: Filter | undefined,
  sub: Attribute | undefined,
  value: Json | undefined,
): GroupStep {
  if (sub) throw bad('mutability', `a member is added or removed whole: members.${sub.name} cannot be changed`);
  if (!filter) {
    if (op === 'add') return { kind: 'add', members: memberIds(value) };
    // Entra and others tell whom to remove by value.
    if (op === 'remove' && value !== undefined && value !== null) return { kind: 'remove', members: memberIds(value) };
    return { kind: 'replace', members: op === 'remove' ? [] : memberIds(value) };
  }
  const ids = idsOf(filter);
  if (op === 'remove') {
    if (ids) return { kind: 'remove', members: ids };
    matches(members, filter, {});
    return { kind: 'removeThose', isMeant: (member) => matches(members, filter, member) };
  }
  // `add` of one that the filter names by id is what it says.
  if (op === 'add' && ids?.length === 1) return { kind: 'add', members: ids };
  throw bad('mutability', 'a member is added or removed, not changed');
}

/** Ids that the filter names and nothing else: `value eq "a" or value eq "b"`. */
function idsOf(filter: Filter): string[] | undefined {
  if (filter.kind === 'or') {
    const parts = filter.parts.map(idsOf);
    return parts.includes(undefined) ? undefined : parts.flatMap((part) => part!);
  }
  const isId = filter.kind === 'compare' && filter.operator === 'eq' && filter.path.toLowerCase() === 'value';
  return isId && typeof filter.value === 'string' ? [filter.value.toLowerCase()] : undefined;
}
