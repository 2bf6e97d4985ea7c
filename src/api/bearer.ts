import type { Context } from 'koa';

/** What a token may be good for at our own APIs. */
export type Scope =
  | 'account.read'
  | 'account.write'
  | 'users.read'
  | 'users.write'
  | 'directory.read'
  | 'directory.write'
  | 'organisations.manage';

/** What a person reaches for themselves; the other scopes make whoever has them an administrator or a service. */
export const isOwn = (scope: Scope): boolean => scope.startsWith('account.') || scope === 'organisations.manage';

/** Who calls. */
export interface Caller {
  clientId: string;
  /** The person behind the token; absent when the client calls for itself. */
  accountId?: string;
  /** What the token is good for at this moment. */
  scopes: ReadonlySet<string>;
}

/** Lets a request in by its access token; sets `WWW-Authenticate` where it refuses. The door `introspection` does it. */
export type Bearer = (
  ctx: Context,
  wanted: { scopes: readonly Scope[]; or?: readonly Scope[]; orClaim?: string; acr?: string; maxAge?: number },
) => Promise<Caller>;
