import { bad } from '../faults.ts';
import type { Filter } from '../filter/ast.ts';
import { parseFilter, shown } from '../filter/parse.ts';
import { field } from '../patch/request.ts';
import { isObject, type Json, type JsonObject } from '../schema/attribute.ts';

export const searchSchema = 'urn:ietf:params:scim:api:messages:2.0:SearchRequest';

/** Resources on a page, when nothing is said and at most. */
export const pageSizes = { usual: 100, most: 500 } as const;

/** What of a resource is wanted (RFC 7644, section 3.9). */
export interface Selection {
  attributes?: string[];
  excludedAttributes?: string[];
}

/** A query, from a URL or from the body of /.search (RFC 7644, section 3.4.3). */
export interface Query extends Selection {
  filter?: Filter;
  sortBy?: string;
  descending: boolean;
  count: number;
  /** From 1; not with a cursor. */
  startIndex: number;
  /** The empty one asks for the first page (RFC 9865). */
  cursor?: string;
}

const names = (value: Json | undefined, what: string): string[] | undefined => {
  if (value === undefined || value === null || value === '') return undefined;
  const list = Array.isArray(value) ? value : String(value).split(',');
  if (list.length > 200 || !list.every((name) => typeof name === 'string'))
    throw bad('invalidValue', `${what} is not a list of names`);
  return (list as string[]).map((name) => name.trim()).filter(Boolean);
};

const whole = (value: Json | undefined, what: string): number | undefined => {
  if (value === undefined || value === null || value === '') return undefined;
  const number = typeof value === 'number' ? value : /^-?\d{1,9}$/.test(String(value)) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(number))
    throw bad(what === 'count' ? 'invalidCount' : 'invalidValue', `${what} is not a whole number`);
  return number;
};

export function readSelection(parameters: JsonObject): Selection {
  const attributes = names(field(parameters, 'attributes'), 'attributes');
  const excludedAttributes = names(field(parameters, 'excludedattributes'), 'excludedAttributes');
  return { ...(attributes && { attributes }), ...(excludedAttributes && { excludedAttributes }) };
}

/** @throws ScimFault `invalidFilter`, `invalidCount`, `invalidValue` */
export function readQuery(parameters: JsonObject): Query {
  const filter = field(parameters, 'filter');
  const sortBy = field(parameters, 'sortby');
  const order = field(parameters, 'sortorder');
  const cursor = field(parameters, 'cursor');
  for (const [name, value] of Object.entries({ filter, sortBy, cursor })) {
    if (value !== undefined && value !== null && typeof value !== 'string')
      throw bad('invalidValue', `${name} is not a text`);
  }
  if (order !== undefined && order !== 'ascending' && order !== 'descending')
    throw bad('invalidValue', `sortOrder is ascending or descending, not ${shown(String(order))}`);
  const count = whole(field(parameters, 'count'), 'count') ?? pageSizes.usual;
  return {
    ...readSelection(parameters),
    // An empty filter is none: some send the parameter always.
    ...(typeof filter === 'string' && filter.trim() && { filter: parseFilter(filter) }),
    ...(typeof sortBy === 'string' && sortBy && { sortBy }),
    ...(typeof cursor === 'string' && { cursor }),
    descending: order === 'descending',
    count: Math.min(pageSizes.most, Math.max(0, count)),
    startIndex: Math.max(1, whole(field(parameters, 'startindex'), 'startIndex') ?? 1),
  };
}

/** @throws ScimFault `invalidSyntax` */
export function readSearch(body: unknown): Query {
  const schemas = isObject(body) ? field(body, 'schemas') : undefined;
  if (
    !isObject(body) ||
    !Array.isArray(schemas) ||
    !schemas.some((urn) => String(urn).toLowerCase() === searchSchema.toLowerCase())
  )
    throw bad('invalidSyntax', `schemas does not name ${searchSchema}`);
  return readQuery(body);
}
