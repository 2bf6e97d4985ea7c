import * as arctic from 'arctic';
import { isTrue, stringOf } from '../upstream.ts';
import { defined, type Kit, profile, type Social, scopesOf } from './kit.ts';

export function linkedin({ provider, redirectUri, get }: Kit): Social {
  const linkedin = new arctic.LinkedIn(provider.client_id, provider.client_secret!, redirectUri);
  return {
    iss: 'https://www.linkedin.com/oauth',
    url: ({ state }) => linkedin.createAuthorizationURL(state, scopesOf(provider, ['openid', 'profile', 'email'])),
    redeem: (code) => linkedin.validateAuthorizationCode(code),
    async who(tokens) {
      const { locale, ...claims } = await get('https://api.linkedin.com/v2/userinfo', tokens);
      return profile('https://www.linkedin.com/oauth', tokens, {
        subject: claims.sub,
        claims: defined({ ...claims, locale: linkedinLocale(locale) }),
        email: stringOf(claims.email),
        emailVerified: isTrue(claims.email_verified),
      });
    },
  };
}

/** `{language: 'en', country: 'US'}`, or text. */
function linkedinLocale(locale: unknown): string | undefined {
  if (typeof locale === 'string') return locale.replace('_', '-');
  const { language, country } = (locale ?? {}) as { language?: unknown; country?: unknown };
  return [stringOf(language), stringOf(country)].filter(Boolean).join('-') || undefined;
}
