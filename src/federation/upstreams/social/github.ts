import * as arctic from 'arctic';
import { AnswerRefused } from '../upstream.ts';
import { defined, type Kit, profile, type Social, scopesOf, withParameters } from './kit.ts';

export function github({ provider, redirectUri, get }: Kit): Social {
  const github = new arctic.OAuth2Client(provider.client_id, provider.client_secret!, redirectUri);
  const scopes = scopesOf(provider, ['read:user', 'user:email']);
  const { S256 } = arctic.CodeChallengeMethod;
  return {
    url: ({ state, verifier, loginHint }) =>
      withParameters(
        github.createAuthorizationURLWithPKCE(
          'https://github.com/login/oauth/authorize',
          state,
          S256,
          verifier,
          scopes,
        ),
        { login: loginHint },
      ),
    redeem: async (code, { verifier }) => {
      const endpoint = 'https://github.com/login/oauth/access_token';
      const tokens = await github.validateAuthorizationCode(endpoint, code, verifier);
      // It says no with status 200.
      if ('error' in tokens.data) throw new AnswerRefused(`GitHub answered ${String(tokens.data.error)}`);
      return tokens;
    },
    async who(tokens) {
      const [user, addresses] = await Promise.all([
        get('https://api.github.com/user', tokens),
        get('https://api.github.com/user/emails', tokens),
      ]);
      const { email, verified } = githubAddress(addresses);
      const { id, login, name, avatar_url, html_url, blog } = user;
      const claims = defined({
        name,
        preferred_username: login,
        nickname: login,
        picture: avatar_url,
        profile: html_url,
        website: blog,
      });
      return profile('https://github.com', tokens, { subject: id, claims, email, emailVerified: verified });
    },
  };
}

/** An address kept private shows as one at GitHub that takes no letters. */
const isPrivate = (email: string) => email.toLowerCase().endsWith('@users.noreply.github.com');

function githubAddress(listed: unknown): { email: string | undefined; verified: boolean } {
  const addresses = (Array.isArray(listed) ? listed : []).filter(
    (one): one is { email: string; primary: boolean; verified: boolean } =>
      typeof one?.email === 'string' && !isPrivate(one.email),
  );
  const best =
    addresses.find(({ primary, verified }) => primary && verified === true) ??
    addresses.find(({ verified }) => verified === true) ??
    addresses.find(({ primary }) => primary);
  return { email: best?.email, verified: best?.verified === true };
}
