import { interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import { satisfies } from '../credentials/index.ts';

const { base, Check, Prompt } = interactionPolicy;

const requestedAcr = (ctx: KoaContextWithOIDC): string[] =>
  String(ctx.oidc.params?.acr_values ?? '')
    .split(' ')
    .filter(Boolean);

/**
 * Why we ask the person anything, in the order in which the reasons count. The engine turns each unmet reason into a
 * question at `/signin`, or into its error for `prompt=none`.
 *
 * 1. `create`: the application sent them to register (Initiating User Registration 1.0).
 * 2. `login`: nobody is signed in, it was too long ago, it was somebody else, or not sure enough for `acr_values`.
 * 3. `select_account`: the application wants them to choose.
 * 4. `consent`: something was asked for that they have not allowed.
 */
export function createPrompts() {
  const policy = base();

  const login = policy.get('login')!;
  login.checks.add(
    new Check(
      'acr_values',
      'none of the requested authentication contexts could be obtained',
      'unmet_authentication_requirements',
      (ctx) => Boolean(ctx.oidc.session?.accountId) && !satisfies(ctx.oidc.session?.acr, requestedAcr(ctx)),
      (ctx) => ({ acr_values: requestedAcr(ctx) }),
    ),
  );

  policy.add(new Prompt({ name: 'create', requestable: true }), 0);
  policy.add(new Prompt({ name: 'select_account', requestable: true }), 2);
  return policy;
}
