import { createHmac } from 'node:crypto';
import * as arctic from 'arctic';
import { stringOf } from '../upstream.ts';
import { defined, type Kit, profile, type Social, scopesOf, withParameters } from './kit.ts';

export function facebook({ provider, redirectUri, get }: Kit): Social {
  const facebook = new arctic.Facebook(provider.client_id, provider.client_secret!, redirectUri);
  return {
    url: ({ state, prompt }) =>
      withParameters(facebook.createAuthorizationURL(state, scopesOf(provider, ['email', 'public_profile'])), {
        auth_type: prompt === 'login' ? 'reauthenticate' : undefined,
      }),
    redeem: (code) => facebook.validateAuthorizationCode(code),
    async who(tokens) {
      // A token that was taken from another application's person proves nothing without our secret.
      const proof = createHmac('sha256', provider.client_secret!).update(tokens.accessToken()).digest('hex');
      const query = new URLSearchParams({ fields: 'id,name,first_name,last_name,email', appsecret_proof: proof });
      const person = await get(`https://graph.facebook.com/v16.0/me?${query}`, tokens);
      return profile('https://www.facebook.com', tokens, {
        subject: person.id,
        claims: defined({ name: person.name, given_name: person.first_name, family_name: person.last_name }),
        email: stringOf(person.email),
        // It does not say.
        emailVerified: false,
      });
    },
  };
}
