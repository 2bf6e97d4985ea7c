import * as arctic from 'arctic';
import { createVerifier, verifyIdToken } from '../id-token.ts';
import { arrivalOf } from '../oidc.ts';
import { AnswerRefused, isTrue } from '../upstream.ts';
import { type Kit, type Social, scopesOf, tokensOf, withParameters } from './kit.ts';

/** Personal Microsoft accounts are one tenant among the others. */
const microsoftConsumers = '9188040d-6c67-4c5b-b112-36a304b66dad';
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function microsoft({ provider, call, clock, redirectUri }: Kit): Social {
  const { tenant, tenants } = provider;
  const entra = new arctic.MicrosoftEntraId(tenant, provider.client_id, provider.client_secret!, redirectUri);
  const jwksUri = `https://login.microsoftonline.com/${tenant}/discovery/v2.0/keys`;
  const verify = createVerifier({ jwksUri, call, clock });
  const mayCome = (tid: string): boolean => {
    if (uuid.test(tenant)) return tid === tenant;
    if (tenant === 'consumers') return tid === microsoftConsumers;
    if (tenant === 'organizations' && tid === microsoftConsumers) return false;
    return tenants.length === 0 || tenants.includes(tid);
  };
  return {
    url: ({ state, verifier, nonce, loginHint, prompt, uiLocales }) =>
      withParameters(
        entra.createAuthorizationURL(state, verifier, scopesOf(provider, ['openid', 'profile', 'email'])),
        {
          nonce,
          login_hint: loginHint,
          prompt,
          ui_locales: uiLocales,
        },
      ),
    redeem: (code, { verifier }) => entra.validateAuthorizationCode(code, verifier),
    async who(tokens, { nonce }) {
      const unchecked = arctic.decodeIdToken(tokens.idToken()) as { tid?: unknown };
      const tid = String(unchecked.tid ?? '');
      // All tenants' tokens are signed by the same keys: a token is its tenant's only if the issuer says so too.
      if (!uuid.test(tid) || !mayCome(tid))
        throw new AnswerRefused('the account belongs to a tenant that may not come');
      const issuer = `https://login.microsoftonline.com/${tid}/v2.0`;
      const claims = await verifyIdToken(verify, tokens.idToken(), { issuer, clientId: provider.client_id, nonce });
      // Anybody may put any address into a tenant of their own; xms_edov says that the domain's owner was checked.
      const emailVerified = isTrue(claims.xms_edov) || claims.xms_edov === 1 || claims.xms_edov === '1';
      return { ...arrivalOf(issuer, claims, tokensOf(tokens)), emailVerified };
    },
  };
}
