import { type AppContext, readBytes } from '../platform/http/index.ts';
import { Refusal } from '../platform/index.ts';

const deepest = 32;
export const octets = 'application/octet-stream';
const types = ['application/json', 'application/merge-patch+json'];

/**
 * Reads a JSON body, and nothing that could not be kept: no NUL, no half of a surrogate pair (PostgreSQL stores
 * neither), not nested without end.
 * @param limit in bytes
 * @returns undefined when there is no body
 * @throws Refusal `request.media_type`, `request.too_large`, `request.malformed`
 */
export async function readJson(ctx: AppContext, limit: number): Promise<unknown> {
  const { req } = ctx;
  if (req.headers['content-length'] === '0') return undefined;
  if (req.headers['content-length'] === undefined && req.headers['transfer-encoding'] === undefined) return undefined;
  demandJson(ctx);
  const bytes = await read(ctx, limit);
  if (bytes.length === 0) return undefined;
  const value = parse(bytes);
  demandStorable(value);
  return value;
}

/**
 * Reads a body that is not JSON. What breaks off is thrown, never taken for the whole.
 * @param limit in bytes
 * @throws Refusal `request.media_type`, `request.too_large`
 */
export function readOctets(ctx: AppContext, limit: number): Promise<Buffer> {
  const [type] = ctx.get('content-type').split(';');
  const encoding = ctx.get('content-encoding').toLowerCase();
  if (type!.trim().toLowerCase() !== octets || (encoding && encoding !== 'identity')) {
    throw new Refusal('request.media_type', { kind: 'invalid', details: { accepted: [octets] } });
  }
  return read(ctx, limit);
}

async function read(ctx: AppContext, limit: number): Promise<Buffer> {
  const bytes = await readBytes(ctx.req, limit);
  if (bytes) return bytes;
  ctx.set('connection', 'close');
  throw new Refusal('request.too_large', { kind: 'invalid', details: { limit } });
}

function demandJson(ctx: AppContext): void {
  const refused = () => new Refusal('request.media_type', { kind: 'invalid', details: { accepted: types } });
  const encoding = ctx.get('content-encoding');
  if (encoding && encoding.toLowerCase() !== 'identity') throw refused();
  const [type = '', ...parameters] = ctx
    .get('content-type')
    .split(';')
    .map((part) => part.trim().toLowerCase());
  const accepted = types.includes(type) && (type !== types[1] || ctx.method === 'PATCH');
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice('charset='.length);
  if (!accepted || (charset !== undefined && charset.replaceAll('"', '') !== 'utf-8')) {
    if (ctx.method === 'PATCH') ctx.set('accept-patch', types.toReversed().join(', '));
    throw refused();
  }
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    // The parser's own words may quote the body; a position says as much.
    const position = /position (\d+)/.exec((error as Error).message)?.[1];
    throw new Refusal('request.malformed', {
      kind: 'invalid',
      details: position === undefined ? {} : { position: Number(position) },
    });
  }
}

/** Walked without recursion: a body of nothing but brackets must not overflow the stack. */
function demandStorable(value: unknown): void {
  const malformed = (why: string) => new Refusal('request.malformed', { kind: 'invalid', details: { why } });
  const isText = (text: string) => text.isWellFormed() && !text.includes('\0');
  const open: [unknown, number][] = [[value, 0]];
  for (let at = open.pop(); at; at = open.pop()) {
    const [inner, depth] = at;
    if (depth > deepest) throw malformed('nested too deep');
    if (typeof inner === 'string' && !isText(inner)) throw malformed('text that cannot be stored');
    if (typeof inner !== 'object' || inner === null) continue;
    for (const [name, part] of Object.entries(inner)) {
      if (!isText(name) || name === '__proto__') throw malformed('a name that cannot be stored');
      open.push([part, depth + 1]);
    }
  }
}
