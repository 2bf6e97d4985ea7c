import type { AdapterPayload } from 'oidc-provider';

/** What the engine keeps in a grant, as far as it adds up. */
export interface GrantDocument extends AdapterPayload {
  openid?: { scope?: string; claims?: string[] };
  resources?: Record<string, string>;
}

export const words = (text: string | undefined): string[] => (text ? text.split(' ') : []);

const union = (...lists: (string[] | undefined)[]): string[] => [...new Set(lists.flatMap((list) => list ?? []))];
const unionOfWords = (...texts: (string | undefined)[]): string => union(...texts.map(words)).join(' ');

/**
 * What is stored and what is being written, together: requests in parallel each add to the grant they read, and none
 * may undo what another added. A grant only ever grows; to take something back is to end it.
 */
export function mergeGrants(stored: GrantDocument, written: GrantDocument): GrantDocument {
  const scope = unionOfWords(stored.openid?.scope, written.openid?.scope);
  const claims = union(stored.openid?.claims, written.openid?.claims);
  const resources = { ...stored.resources };
  for (const [resource, names] of Object.entries(written.resources ?? {})) {
    resources[resource] = unionOfWords(resources[resource], names);
  }
  const details = [...(stored.rar ?? []), ...(written.rar ?? [])];
  const rar = [...new Map(details.map((detail) => [JSON.stringify(detail), detail])).values()];
  return {
    ...stored,
    ...written,
    ...((scope || claims.length > 0) && {
      openid: { ...(scope && { scope }), ...(claims.length > 0 && { claims }) },
    }),
    ...(Object.keys(resources).length > 0 && { resources }),
    ...(rar.length > 0 && { rar }),
  };
}
