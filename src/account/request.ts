import type { AppContext } from '../platform/http/index.ts';
import { Refusal } from '../platform/index.ts';

/** The first value of a parameter, bounded. */
export const textOf = (value: string | string[] | undefined): string => ([value].flat()[0] ?? '').slice(0, 1024).trim();

/**
 * Back to the sign-in that was interrupted. Only an id is taken, never a URL, so that no link of ours leads elsewhere;
 * in another browser it leads to the page that says where to go on.
 */
export const resumePath = (uid: string | undefined): string | undefined =>
  uid && /^[\w-]{10,64}$/.test(uid) ? `/signin/${uid}` : undefined;

/** The one that the path names. */
export const idOf = (ctx: AppContext): string => (ctx as unknown as { params: { id?: string } }).params.id ?? '';

/** The link of a letter that is no good any more: used, too old, or none of ours. */
export const isDeadLink = (error: unknown): boolean =>
  error instanceof Refusal && ['proof.link_refused', 'proof.spent'].includes(error.code);
