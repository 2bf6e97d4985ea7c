import { errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import { acrValues, mfa, satisfies } from '../credentials/index.ts';
import { organisationPrompt, policyChecks } from './organisations.ts';

const { base, Check, Prompt } = interactionPolicy;

const requestedAcr = (ctx: KoaContextWithOIDC): string[] =>
  String(ctx.oidc.params?.acr_values ?? '')
    .split(' ')
    .filter(Boolean);

/** The classes of an `acr` claim without which the sign-in fails (OpenID Connect Core 1.0, section 5.5.1.1). */
function essentialAcr(ctx: KoaContextWithOIDC): string[] {
  const { essential, value, values } = ctx.oidc.claims?.id_token?.acr ?? {};
  if (!essential) return [];
  if (values && !Array.isArray(values)) throw new errors.InvalidRequest('invalid claims.id_token.acr.values type');
  return [value ?? [], values ?? []].flat().map(String);
}

const unmet = 'unmet_authentication_requirements';

/**
 * An `acr` claim that is essential must be met or the sign-in fails (OpenID Connect Core 1.0, section 5.5.1.1). The
 * engine would ask for a sign-in again and again where no sign-in reaches it.
 */
function refuseUnknownAcr(ctx: KoaContextWithOIDC): boolean {
  const wanted = essentialAcr(ctx);
  if (wanted.length > 0 && !wanted.some((acr) => acrValues.includes(acr)))
    throw new errors.UnmetAuthenticationRequirements('none of the requested authentication contexts is known');
  return Check.NO_NEED_TO_PROMPT;
}

/**
 * Whether a session is enough for what is demanded of its person, whatever the application asks: a session may be older than
 * the demand. It is asked for at every request, so it has to be quick while nothing is demanded.
 */
export type SessionSuffices = (
  ctx: KoaContextWithOIDC,
  session: { userId: string; acr: string | undefined },
) => Promise<boolean>;

/**
 * Why we ask the person anything, in the order in which the reasons count. The engine turns each unmet reason into a
 * question at `/signin`, or into its error for `prompt=none`.
 *
 * 1. `create`: the application sent them to register (Initiating User Registration 1.0).
 * 2. `login`: nobody is signed in, it was too long ago, it was somebody else, or not sure enough for `acr_values`.
 * 3. `select_account`: the application wants them to choose.
 * 4. `organization`: they are in several, and the application wants one and named none.
 * 5. `consent`: something was asked for that they have not allowed.
 */
export function createPrompts(suffices: SessionSuffices = async () => true) {
  const policy = base();

  const login = policy.get('login')!;
  // The engine's own compare by name, and would ask for ever where a stronger class is held than the one named.
  for (const reason of ['essential_acrs', 'essential_acr']) login.checks.remove(reason);
  login.checks.add(
    new Check(
      'essential_acr',
      'requested ACR could not be obtained',
      unmet,
      (ctx) => Boolean(ctx.oidc.session?.accountId) && !satisfies(ctx.oidc.session?.acr, essentialAcr(ctx)),
      (ctx) => ({ acr: ctx.oidc.claims?.id_token?.acr }),
    ),
  );
  login.checks.add(new Check('unknown_acr', 'the authentication context is not known', unmet, refuseUnknownAcr));
  login.checks.add(
    new Check(
      'acr_values',
      'none of the requested authentication contexts could be obtained',
      unmet,
      (ctx) => Boolean(ctx.oidc.session?.accountId) && !satisfies(ctx.oidc.session?.acr, requestedAcr(ctx)),
      (ctx) => ({ acr_values: requestedAcr(ctx) }),
    ),
  );
  login.checks.add(
    new Check(
      'client_mfa',
      'the application requires two factors',
      unmet,
      (ctx) =>
        Boolean(ctx.oidc.session?.accountId && ctx.oidc.client?.require_mfa) &&
        !satisfies(ctx.oidc.session?.acr, [mfa]),
    ),
  );

  login.checks.add(
    new Check('person_mfa', 'the person must prove two factors', unmet, async (ctx) => {
      const { accountId, acr } = ctx.oidc.session ?? {};
      return accountId !== undefined && !(await suffices(ctx, { userId: accountId, acr }));
    }),
  );
  for (const check of policyChecks()) login.checks.add(check);

  policy.add(new Prompt({ name: 'create', requestable: true }), 0);
  policy.add(new Prompt({ name: 'select_account', requestable: true }), 2);
  policy.add(organisationPrompt(), 3);
  return policy;
}
