import type { Facts, FactsReader } from './facts.ts';

/** Scopes by which an application or API asks what a person belongs to and may do. */
export const factScopes = ['groups', 'roles', 'permissions', 'organization'] as const;

export interface FactClaimSettings {
  /** Whether `groups` lists names or ids. */
  groupClaim: 'name' | 'id';
  /** With more, they are left out, and the claims say where to ask. */
  mostGroups: number;
  issuer: string;
}

/**
 * Facts as claims, those that the scopes ask for; the same in ID tokens, userinfo, access tokens and introspection.
 * What holds in one organisation has names of its own, so that no role there is taken for one of the installation.
 *
 * Too many groups are told of as a distributed claim (OpenID Connect Core 1.0, section 5.6.2): `_claim_sources` has the
 * endpoint, to be asked page by page with an access token of the scope `groups`.
 */
export function claimsOfFacts(
  { groups, roles, permissions, organisation }: Facts,
  scopes: ReadonlySet<string> | readonly string[],
  settings: FactClaimSettings,
): Record<string, unknown> {
  const asked = new Set(scopes);
  return {
    ...(asked.has('groups') ? groupClaims(groups, settings) : {}),
    ...(asked.has('roles') ? { roles } : {}),
    ...(asked.has('permissions') ? { permissions } : {}),
    ...(organisation
      ? {
          org_id: organisation.id,
          org_name: organisation.name,
          ...(asked.has('organization') ? { org_roles: organisation.roles } : {}),
          ...(asked.has('permissions') ? { org_permissions: organisation.permissions } : {}),
        }
      : {}),
  };
}

function groupClaims(groups: Facts['groups'], { groupClaim, mostGroups, issuer }: FactClaimSettings) {
  if (groups.length <= mostGroups) return { groups: groups.map((group) => group[groupClaim]) };
  return {
    hasgroups: true,
    _claim_names: { groups: 'groups' },
    _claim_sources: { groups: { endpoint: `${issuer}/api/users/me/groups` } },
  };
}

/** What a token says of itself, as far as facts hang on it. */
interface TokenFacts {
  scope?: string | undefined;
  org_id?: string | undefined;
}

/**
 * What APIs are told of the person behind a token at this moment, by the token's own scopes.
 * @returns undefined when the token is for an organisation that the person is not in any more: it is dead
 */
export const createTokenFacts =
  ({ factsOf }: Pick<FactsReader, 'factsOf'>, settings: FactClaimSettings) =>
  async (accountId: string, token: TokenFacts): Promise<Record<string, unknown> | undefined> => {
    const scopes = (token.scope ?? '').split(' ');
    const organisation = typeof token.org_id === 'string' ? token.org_id : undefined;
    if (organisation === undefined && !factScopes.some((scope) => scopes.includes(scope))) return {};
    const facts = await factsOf(accountId, organisation);
    if (organisation !== undefined && !facts.organisation) return undefined;
    return claimsOfFacts(facts, scopes, settings);
  };

export type TokenFactsReader = ReturnType<typeof createTokenFacts>;
