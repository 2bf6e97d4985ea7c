import { isObject, type Json, type JsonObject } from '../schema/attribute.ts';
import type { BulkOperation } from './request.ts';

const whole = /^bulkId:([\w.-]+)$/;
const inPath = /bulkId:([\w.-]+)/g;

/**
 * Changes each `bulkId:x` (RFC 7644, section 3.7.2) in the operation's path, in its data where it is the whole value,
 * and in the paths of a PATCH (`members[value eq "bulkId:x"]`).
 * @param put what stands there instead; undefined leaves the value out, and an object or a list that thereby loses what it refers to
 */
function walk(value: Json | undefined, name: string, put: (id: string) => string | undefined): Json | undefined {
  if (typeof value === 'string') {
    const id = whole.exec(value)?.[1];
    if (id !== undefined) return put(id);
    return name.toLowerCase() === 'path' ? value.replace(inPath, (text, id: string) => put(id) ?? text) : value;
  }
  if (Array.isArray(value))
    return value.flatMap((each): Json[] => {
      const one = walk(each, name, put);
      return one === undefined ? [] : [one];
    });
  if (!isObject(value)) return value;
  const parts = Object.entries(value).map(([key, part]) => [key, part, walk(part, key, put)] as const);
  const isBereft = parts.some(([, before, after]) => typeof before === 'string' && after === undefined);
  return isBereft ? undefined : (Object.fromEntries(parts.map(([key, , after]) => [key, after])) as JsonObject);
}

/** The bulkIds that the operation speaks of. */
export function referencesOf({ path, data }: BulkOperation): string[] {
  const ids = new Set<string>();
  const note = (id: string) => {
    ids.add(id);
    return id;
  };
  walk(path, 'path', note);
  walk(data, '', note);
  return [...ids];
}

/** The operation with ids where it spoke of resources made by others of the same request. */
export const resolved = (operation: BulkOperation, made: ReadonlyMap<string, string>): BulkOperation => {
  const put = (id: string) => made.get(id) ?? `bulkId:${id}`;
  return {
    ...operation,
    path: walk(operation.path, 'path', put) as string,
    data: walk(operation.data, '', put),
  };
};

/** What the operation says without those it refers to that are not made yet. */
export const withoutUnmade = (operation: BulkOperation, made: ReadonlyMap<string, string>): BulkOperation => ({
  ...operation,
  data: walk(operation.data, '', (id) => made.get(id)),
});
