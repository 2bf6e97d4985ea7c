import type { AppContext } from '../platform/http/index.ts';
import { Refusal } from '../platform/index.ts';

/**
 * The validator of a representation: `"7"`, or `"7.k3x"` where something beside the version shows in it that others
 * need not be stopped by, such as the last sign-in. `If-Match` asks for the version only.
 */
export const etagOf = (version: number | string, beside?: number | string): string =>
  beside === undefined ? `"${version}"` : `"${version}.${beside}"`;

const tagsOf = (header: string): string[] => header.split(',').map((tag) => tag.trim().replace(/^W\//, ''));

/**
 * @param version a count, or what names the content where nothing is counted
 * @throws Refusal `request.precondition_failed` (RFC 9110, section 13.1.1)
 */
export function demandMatch(ctx: AppContext, version: number | string): void {
  const header = ctx.get('if-match').trim();
  if (header === '' || header === '*') return;
  const versions = tagsOf(header).map((tag) => /^"([\w-]+)(?:\.[\w-]+)?"$/.exec(tag)?.[1]);
  if (!versions.includes(String(version))) throw new Refusal('request.precondition_failed', { kind: 'conflict' });
}

/** Whether the caller has it already (RFC 9110, section 13.1.2). */
export function isUnchanged(ctx: AppContext, etag: string): boolean {
  const header = ctx.get('if-none-match').trim();
  return header !== '' && (header === '*' || tagsOf(header).includes(etag));
}
