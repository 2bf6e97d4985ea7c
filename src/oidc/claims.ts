import { type Account, errors, type FindAccount, type KoaContextWithOIDC } from 'oidc-provider';
import type { Sessions } from '../sessions/index.ts';
import {
  claimsOfFacts,
  type FactClaimSettings,
  type FactsReader,
  type Field,
  type Fields,
  factScopes,
  type Portrait,
  preferencesOf,
  profileClaims,
  type Standing,
} from '../users/index.ts';
import type { OrganisationRequests } from './organisations.ts';

/**
 * Which claims each scope asks for (OpenID Connect Core 1.0, section 5.4). How the person proved who they are, how
 * surely and when, stands in every ID token: an application that cares must not depend on having asked.
 */
export const claimsByScope = {
  openid: ['sub', 'acr', 'amr', 'auth_time'],
  profile: ['name', 'family_name', 'given_name', ...profileClaims, 'locale', 'updated_at'],
  email: ['email', 'email_verified'],
  phone: ['phone_number', 'phone_number_verified'],
  address: ['address'],
  groups: ['groups', 'hasgroups'],
  roles: ['roles'],
  permissions: ['permissions', 'org_permissions'],
  organization: ['org_id', 'org_name', 'org_roles'],
  iss: null,
  sid: null,
};

/** The same with the claims of custom fields, in scopes of their own or beside the standard ones. */
export function claimsWith(fields: readonly Field[]): Record<string, string[] | null> {
  const claims: Record<string, string[] | null> = { ...claimsByScope };
  for (const { claim } of fields) if (claim) claims[claim.scope] = [...(claims[claim.scope] ?? []), claim.name];
  return claims;
}

/** What the custom fields say of a person, by claim. */
function claimsOfFields({ attributes }: Portrait, fields: readonly Field[]): Record<string, unknown> {
  const said = fields.filter(({ name, claim }) => claim && attributes?.[name] !== undefined);
  return Object.fromEntries(said.map(({ name, claim }) => [claim!.name, attributes[name]]));
}

/** Everything we could say of a person; the engine gives out what was asked for and granted. */
export function claimsOf(user: Portrait, fields: readonly Field[] = []): Record<string, unknown> & { sub: string } {
  const { address, ...profile } = user.profile;
  return {
    ...claimsOfFields(user, fields),
    ...profile,
    sub: user.id,
    name: user.name ?? (user.displayName() === user.email ? undefined : user.displayName()),
    given_name: user.givenName ?? undefined,
    family_name: user.familyName ?? undefined,
    locale: user.locale ?? undefined,
    updated_at: Math.floor(user.updatedAt.getTime() / 1000),
    email: user.email ?? undefined,
    email_verified: user.email ? user.isEmailVerified() : undefined,
    address,
  };
}

/** What somebody keeps from applications of others is not there for them, whatever was agreed to. */
export function claimsFor(
  user: Portrait,
  client: object | undefined,
  fields: readonly Field[] = [],
): ReturnType<typeof claimsOf> {
  const claims = claimsOf(user, fields);
  if ((client as { first_party?: unknown } | undefined)?.first_party === true) return claims;
  for (const name of preferencesOf(user).privacy.withhold) {
    delete claims[name];
    delete claims[`${name}_verified`];
  }
  return claims;
}

/**
 * Whether nothing but the subject can come into an ID token: beside a token for userinfo the engine leaves out the claims
 * of scopes (`conformIdTokenClaims`), and no claim was asked for by name.
 */
function saysOnlyWho(ctx: KoaContextWithOIDC, scope: string, mask: object): boolean {
  const accessToken = ctx.oidc?.entities.AccessToken;
  const isForUserinfo = accessToken !== undefined && accessToken.aud === undefined;
  const names = scope.split(' ').every((name) => name === 'openid' || name === 'offline_access');
  return Object.keys(mask).length === 0 && (isForUserinfo || names);
}

/** At these the person is in the browser: a stopped account is an error to show them, not a missing subject. */
const browserRoutes = new Set(['authorization', 'resume', 'code_verification', 'device_resume']);

/**
 * The engine asks this at every request that names a person, so it is one indexed question; the claims are loaded only
 * when they are given out.
 */
export function createFindAccount({
  standing,
  portraits,
  fields,
  facts,
  factClaims,
  organisationRequests,
  sessions,
}: {
  standing: Standing;
  sessions: Pick<Sessions, 'hasCaughtUp'>;
  portraits: (id: string) => Promise<Portrait | undefined>;
  fields: Pick<Fields, 'list'>;
  facts: FactsReader;
  factClaims: FactClaimSettings;
  organisationRequests: Pick<OrganisationRequests, 'stillIn'>;
}): FindAccount {
  return async (ctx, sub, token) => {
    const stands = sessions.hasCaughtUp() ? standing.isKnownToStand : standing.stands;
    if (!(await stands(sub))) {
      // The store hides a stopped person's session; this is the instant between that answer and this question.
      if (browserRoutes.has(ctx.oidc?.route)) throw new errors.AccessDenied('the account may not be used');
      return undefined;
    }
    if (!(await organisationRequests.stillIn(token as never, sub))) return undefined;
    const account: Account = {
      accountId: sub,
      async claims(use, scope, mask) {
        if (use === 'id_token' && saysOnlyWho(ctx, scope, mask)) return { sub };
        const user = await portraits(sub);
        if (!user) throw new errors.InvalidGrant('the account is gone');
        const claims = claimsFor(user, ctx.oidc?.client, await fields.list());
        const asked = [...scope.split(' '), ...Object.keys(mask), ...('org_roles' in mask ? ['organization'] : [])];
        const organisation = (mask.org_id as { value?: string } | null | undefined)?.value;
        if (organisation === undefined && !factScopes.some((name) => asked.includes(name))) return claims;
        return { ...claims, ...claimsOfFacts(await facts.factsOf(sub, organisation), asked, factClaims) };
      },
    };
    return account;
  };
}
