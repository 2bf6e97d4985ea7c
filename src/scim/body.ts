import type { Context } from 'koa';
import { readBytes } from '../platform/http/index.ts';
import { bulkLimits } from './discovery.ts';
import { bad, ScimFault } from './faults.ts';

/** A body may say that it is SCIM, or plain JSON (RFC 7644, section 3.1); nothing said is taken for it, too. */
const types = /^application\/(scim\+)?json\s*(;|$)/i;

/** Deeper than any resource; what nests without end would exhaust the stack of whoever walks it. */
const deepest = 32;

/** @throws ScimFault 413, 415, `invalidSyntax` */
export async function readBody(ctx: Context): Promise<unknown> {
  const type = ctx.get('content-type');
  if (type && !types.test(type)) throw new ScimFault(415, undefined, 'the body is application/scim+json');
  const most = bulkLimits.maxPayloadSize;
  const bytes = await readBytes(ctx.req, most);
  if (!bytes) throw new ScimFault(413, undefined, `the body is larger than ${most} bytes (maxPayloadSize)`);
  try {
    const body = JSON.parse(bytes.toString('utf8')) as unknown;
    if (isDeeper(body, deepest)) throw new Error('too deep');
    return body;
  } catch {
    throw bad('invalidSyntax', 'the body is not JSON, or nested without end');
  }
}

function isDeeper(value: unknown, left: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (left === 0) return true;
  for (const part of Object.values(value)) if (isDeeper(part, left - 1)) return true;
  return false;
}
