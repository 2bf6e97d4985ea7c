import * as arctic from 'arctic';
import { createVerifier, verifyIdToken } from '../id-token.ts';
import { arrivalOf } from '../oidc.ts';
import { AnswerRefused } from '../upstream.ts';
import { type Kit, type Social, scopesOf, tokensOf, withParameters } from './kit.ts';

export function google({ provider, call, clock, redirectUri }: Kit): Social {
  const google = new arctic.Google(provider.client_id, provider.client_secret!, redirectUri);
  const verify = createVerifier({ jwksUri: 'https://www.googleapis.com/oauth2/v3/certs', call, clock });
  const { hosted_domains: hosted } = provider;
  return {
    iss: 'https://accounts.google.com',
    url: ({ state, verifier, nonce, loginHint, prompt, uiLocales }) =>
      withParameters(
        google.createAuthorizationURL(state, verifier, scopesOf(provider, ['openid', 'profile', 'email'])),
        {
          nonce,
          login_hint: loginHint,
          // It knows no prompt=login.
          prompt: prompt && 'select_account',
          hl: uiLocales?.split(' ')[0],
          hd: hosted.length === 1 ? hosted[0] : hosted.length > 1 ? '*' : undefined,
        },
      ),
    redeem: (code, { verifier }) => google.validateAuthorizationCode(code, verifier),
    async who(tokens, { nonce }) {
      const claims = await verifyIdToken(verify, tokens.idToken(), {
        // Both spellings are its own.
        issuer: ['https://accounts.google.com', 'accounts.google.com'],
        clientId: provider.client_id,
        nonce,
      });
      // The parameter hd is only a wish; the claim is what counts.
      if (hosted.length > 0 && !hosted.includes(String(claims.hd)))
        throw new AnswerRefused('the account belongs to none of the hosted domains');
      return arrivalOf('https://accounts.google.com', claims, tokensOf(tokens));
    },
  };
}
