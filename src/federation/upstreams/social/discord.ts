import * as arctic from 'arctic';
import { stringOf } from '../upstream.ts';
import { defined, type Kit, profile, type Social, scopesOf, withParameters } from './kit.ts';

export function discord({ provider, redirectUri, get }: Kit): Social {
  const discord = new arctic.Discord(provider.client_id, provider.client_secret!, redirectUri);
  const scopes = scopesOf(provider, ['identify', 'email']);
  return {
    url: ({ state, verifier, prompt }) =>
      withParameters(discord.createAuthorizationURL(state, verifier, scopes), { prompt: prompt && 'consent' }),
    redeem: (code, { verifier }) => discord.validateAuthorizationCode(code, verifier),
    async who(tokens) {
      const { id, username, global_name, email, verified, locale } = await get(
        'https://discord.com/api/users/@me',
        tokens,
      );
      return profile('https://discord.com', tokens, {
        subject: id,
        claims: defined({ name: global_name ?? username, preferred_username: username, nickname: username, locale }),
        email: stringOf(email),
        emailVerified: verified === true,
      });
    },
  };
}
