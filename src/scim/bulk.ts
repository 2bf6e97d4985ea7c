import type { Answer } from './answer.ts';
import { bulkLimits } from './discovery.ts';
import { bad, errorBody, faultOf, ScimFault } from './faults.ts';
import { field } from './patch/request.ts';
import { isObject, type Json, type JsonObject } from './schema/attribute.ts';

const requestSchema = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest';
const responseSchema = 'urn:ietf:params:scim:api:messages:2.0:BulkResponse';

/** One request among many, as it would come alone. */
export interface BulkOperation {
  method: 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** `/Users`, `/Groups/<id>`. */
  path: string;
  bulkId?: string;
  version?: string;
  data?: Json | undefined;
}

const reference = /bulkId:([\w.-]+)/g;

/** @throws ScimFault 413 for too many operations, `invalidSyntax`, `invalidValue` */
function readBulk(body: unknown): { operations: BulkOperation[]; failOnErrors: number } {
  const list = isObject(body) ? field(body, 'operations') : undefined;
  const schemas = isObject(body) ? field(body, 'schemas') : undefined;
  if (!isObject(body) || !Array.isArray(schemas) || !schemas.includes(requestSchema))
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

const referencesOf = ({ path, data }: BulkOperation): string[] => [
  ...new Set([...`${path} ${JSON.stringify(data ?? null)}`.matchAll(reference)].map(([, id]) => id!)),
];

/** The operation with ids where it spoke of resources made by others of the same request. */
function resolved(operation: BulkOperation, made: ReadonlyMap<string, string>): BulkOperation {
  const put = (text: string) => text.replace(reference, (whole, id: string) => made.get(id) ?? whole);
  const walk = (value: Json | undefined): Json | undefined => {
    if (typeof value === 'string') return put(value);
    if (Array.isArray(value)) return value.map((each) => walk(each) as Json);
    if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, walk(part)]));
    return value;
  };
  return { ...operation, path: put(operation.path), data: walk(operation.data) };
}

/**
 * Many requests in one (RFC 7644, section 3.7), each for itself: one that fails takes no other back. An operation that
 * speaks of what another makes waits for it, whatever the order they are written in; who wait for each other in a
 * circle are refused with 409.
 * @param run does one operation as if it had come alone
 */
export async function runBulk(
  body: unknown,
  { base, run }: { base: string; run: (operation: BulkOperation) => Promise<Answer> },
): Promise<JsonObject> {
  const { operations, failOnErrors } = readBulk(body);
  const makers = new Set(operations.flatMap(({ method, bulkId }) => (method === 'POST' ? bulkId! : [])));
  const made = new Map<string, string>();
  const failed = new Set<string>();
  const results = new Map<BulkOperation, JsonObject>();
  let errors = 0;

  const one = async (operation: BulkOperation): Promise<void> => {
    const { method, bulkId, path } = operation;
    const told = { method, ...(bulkId !== undefined && { bulkId }) };
    try {
      for (const id of referencesOf(operation)) {
        if (!makers.has(id)) throw bad('invalidValue', `nothing here has the bulkId ${id}`);
        if (failed.has(id)) throw bad('invalidValue', `what has the bulkId ${id} was not made`);
        if (!made.has(id)) throw new ScimFault(409, undefined, `bulkId ${id}: these operations wait for each other`);
      }
      const answer = await run(resolved(operation, made));
      const { status, location, version } = answer;
      if (method === 'POST' && typeof answer.body?.id === 'string') made.set(bulkId!, answer.body.id);
      results.set(operation, {
        ...told,
        ...(location && { location }),
        ...(version && { version }),
        status: String(status),
      });
    } catch (error) {
      const fault = faultOf(error);
      if (!fault) throw error;
      errors++;
      if (method === 'POST') failed.add(bulkId!);
      const isOfOne = /^\/(Users|Groups)\/[\w-]+$/.test(path);
      results.set(operation, {
        ...told,
        ...(isOfOne && { location: `${base}${path}` }),
        status: String(fault.status),
        response: errorBody(fault),
      });
    }
  };

  const isReady = (operation: BulkOperation) =>
    referencesOf(operation).every((id) => made.has(id) || failed.has(id) || !makers.has(id));
  let left = [...operations];
  while (left.length > 0 && errors < failOnErrors) {
    // Nobody is ready: a circle. The first of them is told so, and with it those that wait for it.
    const next = left.find(isReady) ?? left[0]!;
    left = left.filter((operation) => operation !== next);
    await one(next);
  }
  return {
    schemas: [responseSchema],
    Operations: operations.map((operation) => results.get(operation)).filter((told) => told !== undefined),
  };
}
