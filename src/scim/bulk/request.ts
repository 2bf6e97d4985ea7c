import { bulkLimits } from '../discovery.ts';
import { bad, ScimFault } from '../faults.ts';
import { field } from '../patch/request.ts';
import { isObject, type Json } from '../schema/attribute.ts';

const requestSchema = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest';

/** One request among many, as it would come alone. */
export interface BulkOperation {
  method: 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** `/Users`, `/Groups/<id>`. */
  path: string;
  bulkId?: string;
  version?: string;
  data?: Json | undefined;
}

/** @throws ScimFault 413 for too many operations, `invalidSyntax`, `invalidValue` */
export function readBulk(body: unknown): { operations: BulkOperation[]; failOnErrors: number } {
  const list = isObject(body) ? field(body, 'operations') : undefined;
  const schemas = isObject(body) ? field(body, 'schemas') : undefined;
  if (
    !isObject(body) ||
    !Array.isArray(schemas) ||
    !schemas.some((urn) => String(urn).toLowerCase() === requestSchema.toLowerCase())
  )
    throw bad('invalidSyntax', `schemas does not name ${requestSchema}`);
  if (!Array.isArray(list)) throw bad('invalidSyntax', 'there is no list of Operations');
  if (list.length > bulkLimits.maxOperations)
    throw new ScimFault(413, 'tooMany', `more than ${bulkLimits.maxOperations} operations (maxOperations)`);
  const failOnErrors = field(body, 'failonerrors') ?? Number.POSITIVE_INFINITY;
  if (typeof failOnErrors !== 'number' || failOnErrors < 1)
    throw bad('invalidValue', 'failOnErrors is a number from 1');
  const operations = list.map(readOperation);
  const ids = operations.flatMap(({ bulkId }) => bulkId ?? []);
  if (new Set(ids).size < ids.length) throw bad('invalidValue', 'a bulkId is there twice');
  return { operations, failOnErrors };
}

function readOperation(operation: Json): BulkOperation {
  if (!isObject(operation)) throw bad('invalidSyntax', 'an operation is not an object');
  const method = String(field(operation, 'method')).toUpperCase();
  const path = field(operation, 'path');
  const bulkId = field(operation, 'bulkid');
  const version = field(operation, 'version');
  if (!['POST', 'PUT', 'PATCH', 'DELETE'].includes(method))
    throw bad('invalidSyntax', 'method is POST, PUT, PATCH or DELETE');
  if (typeof path !== 'string') throw bad('invalidSyntax', 'an operation needs a path');
  if (method === 'POST' && !(typeof bulkId === 'string' && /^[\w.-]{1,200}$/.test(bulkId)))
    throw bad('invalidSyntax', 'POST needs a bulkId');
  return {
    method: method as 'POST',
    path,
    ...(typeof bulkId === 'string' && { bulkId }),
    ...(typeof version === 'string' && { version }),
    data: field(operation, 'data'),
  };
}
