import { type Attribute, named, type Schema } from './attribute.ts';
import { coreGroup } from './groups.ts';
import { cardeaUser, commonAttributes, coreUser, enterpriseUser } from './users.ts';

/** A kind of resource: its own schema and those that add to it. */
export interface ResourceType {
  name: 'User' | 'Group';
  endpoint: '/Users' | '/Groups';
  description: string;
  core: Schema;
  extensions: readonly Schema[];
}

export const userType = (customFields: readonly Attribute[]): ResourceType => ({
  name: 'User',
  endpoint: '/Users',
  description: 'People',
  core: coreUser,
  extensions: [enterpriseUser, cardeaUser(customFields)],
});

export const groupType: ResourceType = {
  name: 'Group',
  endpoint: '/Groups',
  description: 'Sets of people and of other groups',
  core: coreGroup,
  extensions: [],
};

/** Where an attribute is: in which extension (none: the core), which attribute, which part of it. */
export interface Place {
  extension?: Schema;
  attribute: Attribute;
  sub?: Attribute;
}

/** The attributes that stand at the top of a resource. */
export const topAttributes = (type: ResourceType): Attribute[] => [...commonAttributes, ...type.core.attributes];

/**
 * Finds what a name means (RFC 7644, section 3.10): `userName`, `name.givenName`, with the URN of its schema in front
 * or without, whatever the case. Senders also write an extension's URN alone, a dot behind it for a colon, and
 * an extension's attribute without its URN, which means it where the core has none of that name.
 * @returns undefined for what the schemas do not know; a place without attribute for an extension as a whole
 */
export function findPlace(
  type: ResourceType,
  path: string,
): Place | { extension: Schema; attribute?: undefined } | undefined {
  const lower = path.toLowerCase();
  for (const schema of [type.core, ...type.extensions]) {
    const urn = schema.id.toLowerCase();
    if (!lower.startsWith(urn)) continue;
    const rest = path.slice(urn.length);
    const isExtension = schema !== type.core;
    if (rest === '') return isExtension ? { extension: schema } : undefined;
    if (rest[0] !== ':' && rest[0] !== '.') continue;
    const found = inside(isExtension ? schema.attributes : topAttributes(type), rest.slice(1));
    return found && (isExtension ? { extension: schema, ...found } : found);
  }
  const found = inside(topAttributes(type), path);
  if (found) return found;
  for (const extension of type.extensions) {
    const inExtension = inside(extension.attributes, path);
    if (inExtension) return { extension, ...inExtension };
  }
  return undefined;
}

function inside(attributes: readonly Attribute[], path: string): Place | undefined {
  const dot = path.indexOf('.');
  const attribute = named(attributes, dot < 0 ? path : path.slice(0, dot));
  if (!attribute || dot < 0) return attribute && { attribute };
  const sub = named(attribute.subAttributes ?? [], path.slice(dot + 1));
  return sub && { attribute, sub };
}
