import { bad } from '../faults.ts';
import { isObject, type Json, type JsonObject } from '../schema/attribute.ts';

export const patchSchema = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';

export interface PatchOperation {
  op: 'add' | 'replace' | 'remove';
  path?: string;
  value?: Json | undefined;
}

const most = 1_000;

/** The names of an object's own fields, whatever their case: senders write `Operations` and `operations`, `Op` and `op`. */
export const field = (object: JsonObject, name: string): Json | undefined => {
  const key = Object.keys(object).find((each) => each.toLowerCase() === name);
  return key === undefined ? undefined : object[key];
};

/** Reads a PATCH request (RFC 7644, section 3.5.2). @throws ScimFault `invalidSyntax` */
export function readPatch(body: unknown): PatchOperation[] {
  const operations = isObject(body) ? field(body, 'operations') : undefined;
  if (!isObject(body) || !Array.isArray(operations)) throw bad('invalidSyntax', 'there is no list of Operations');
  const schemas = field(body, 'schemas');
  if (!Array.isArray(schemas) || !schemas.some((urn) => String(urn).toLowerCase() === patchSchema.toLowerCase()))
    throw bad('invalidSyntax', `schemas does not name ${patchSchema}`);
  if (operations.length === 0) throw bad('invalidSyntax', 'Operations is empty');
  if (operations.length > most) throw bad('tooMany', `more than ${most} Operations`);
  return operations.map(readOperation);
}

function readOperation(operation: Json): PatchOperation {
  if (!isObject(operation)) throw bad('invalidSyntax', 'an operation is not an object');
  const op = String(field(operation, 'op')).toLowerCase();
  if (op !== 'add' && op !== 'replace' && op !== 'remove') throw bad('invalidSyntax', 'op is add, replace or remove');
  const path = field(operation, 'path');
  if (path !== undefined && path !== null && typeof path !== 'string') throw bad('invalidPath', 'path is not a text');
  const value = field(operation, 'value');
  if (op !== 'remove' && value === undefined) throw bad('invalidValue', `${op} needs a value`);
  if (op === 'remove' && !path) throw bad('noTarget', 'remove needs a path');
  return { op, ...(path && { path }), value };
}
