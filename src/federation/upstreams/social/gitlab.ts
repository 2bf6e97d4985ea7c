import * as arctic from 'arctic';
import { createVerifier, verifyIdToken } from '../id-token.ts';
import { arrivalOf } from '../oidc.ts';
import { AnswerRefused } from '../upstream.ts';
import { type Kit, type Social, scopesOf, tokensOf, withParameters } from './kit.ts';

export function gitlab({ provider, call, clock, redirectUri, get }: Kit): Social {
  const base = provider.base_url.replace(/\/+$/, '');
  // arctic's own GitLab leaves PKCE out; its plain client has it.
  const gitlab = new arctic.OAuth2Client(provider.client_id, provider.client_secret!, redirectUri);
  const verify = createVerifier({ jwksUri: `${base}/oauth/discovery/keys`, call, clock });
  const scopes = scopesOf(provider, ['openid', 'profile', 'email']);
  const { S256 } = arctic.CodeChallengeMethod;
  return {
    url: ({ state, verifier, nonce }) =>
      withParameters(gitlab.createAuthorizationURLWithPKCE(`${base}/oauth/authorize`, state, S256, verifier, scopes), {
        nonce,
      }),
    redeem: (code, { verifier }) => gitlab.validateAuthorizationCode(`${base}/oauth/token`, code, verifier),
    async who(tokens, { nonce }) {
      const claims = await verifyIdToken(verify, tokens.idToken(), {
        issuer: base,
        clientId: provider.client_id,
        nonce,
      });
      const more = await get(`${base}/oauth/userinfo`, tokens);
      if (more.sub !== claims.sub) throw new AnswerRefused('the profile is another person’s');
      return arrivalOf(base, { ...more, ...claims }, tokensOf(tokens));
    },
  };
}
