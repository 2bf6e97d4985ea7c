import { createPrivateKey } from 'node:crypto';
import * as arctic from 'arctic';
import { createVerifier, verifyIdToken } from '../id-token.ts';
import { arrivalOf } from '../oidc.ts';
import { stringOf } from '../upstream.ts';
import { defined, type Kit, type Social, scopesOf, tokensOf, withParameters } from './kit.ts';

export function apple({ provider, call, clock, redirectUri }: Kit): Social {
  const key = createPrivateKey(provider.private_key!.replaceAll('\\n', '\n')).export({
    type: 'pkcs8',
    format: 'der',
  });
  const { client_id: clientId, team_id: team, key_id: keyId } = provider;
  const apple = new arctic.Apple(clientId, team!, keyId!, new Uint8Array(key), redirectUri);
  const verify = createVerifier({ jwksUri: 'https://appleid.apple.com/auth/keys', call, clock });
  return {
    url: ({ state, nonce }) =>
      withParameters(apple.createAuthorizationURL(state, scopesOf(provider, ['name', 'email'])), {
        nonce,
        // Asked for whenever there are scopes; the answer is posted from their site to ours.
        response_mode: 'form_post',
      }),
    redeem: (code) => apple.validateAuthorizationCode(code),
    async who(tokens, { nonce }, answer) {
      const claims = await verifyIdToken(verify, tokens.idToken(), {
        issuer: 'https://appleid.apple.com',
        clientId,
        nonce,
      });
      return arrivalOf('https://appleid.apple.com', { ...appleName(answer.get('user')), ...claims }, tokensOf(tokens));
    },
  };
}

/** The name comes once, beside the first code and unsigned: it is taken for a name and for nothing else. */
function appleName(user: string | null): Record<string, unknown> {
  if (!user || user.length > 2_000) return {};
  try {
    const { name } = JSON.parse(user) as { name?: { firstName?: unknown; lastName?: unknown } };
    const [given, family] = [stringOf(name?.firstName), stringOf(name?.lastName)];
    return defined({ given_name: given, family_name: family, name: [given, family].filter(Boolean).join(' ') });
  } catch {
    return {};
  }
}
