import { createHmac, createPrivateKey } from 'node:crypto';
import * as arctic from 'arctic';
import type { Clock } from '../../platform/index.ts';
import type { Call } from '../../platform/outbound.ts';
import type { Provider } from '../definition.ts';
import { calling } from './arctic-calls.ts';
import { createVerifier, verifyIdToken } from './id-token.ts';
import { arrivalOf } from './oidc.ts';
import { AnswerRefused, type Arrival, type Departure, isTrue, stringOf, type Upstream } from './upstream.ts';

/** What a kind of provider is made of; arctic knows its endpoints. */
interface Social {
  url(departure: Departure): URL;
  redeem(code: string, departure: Departure): Promise<arctic.OAuth2Tokens>;
  /** Who the tokens belong to. */
  who(tokens: arctic.OAuth2Tokens, departure: Departure, answer: URLSearchParams): Promise<Arrival>;
  /** What it sends as `iss` with its answers, if it sends one (RFC 9207). */
  iss?: string;
}

interface Kit {
  provider: Provider;
  call: Call;
  clock: Clock;
  redirectUri: string;
  /** Reads JSON with the token. */
  get(url: string, tokens: arctic.OAuth2Tokens): Promise<Record<string, unknown>>;
}

export function createSocialUpstream(deps: Omit<Kit, 'get'>): Upstream {
  const { call } = deps;
  const get: Kit['get'] = async (url, tokens) => {
    const response = await call(url, {
      headers: {
        authorization: `Bearer ${tokens.accessToken()}`,
        accept: 'application/json',
        // GitHub answers nobody without.
        'user-agent': 'cardea',
      },
    });
    if (response.status >= 500) throw new TypeError(`${new URL(url).host} answered ${response.status}`);
    if (response.status !== 200) throw new AnswerRefused(`${new URL(url).host} answered ${response.status}`);
    return (await response.json()) as Record<string, unknown>;
  };
  const social = kinds[deps.provider.kind as keyof typeof kinds]({ ...deps, get });

  return {
    async begin(departure) {
      return social.url(departure);
    },
    async finish(answer, departure) {
      const iss = answer.get('iss');
      if (iss !== null && social.iss !== undefined && iss !== social.iss)
        throw new AnswerRefused('the answer is another issuer’s (iss)');
      const code = answer.get('code');
      if (!code) throw new AnswerRefused('the answer has no code');
      const tokens = await calling(call, () => social.redeem(code, departure));
      return social.who(tokens, departure, answer);
    },
  };
}

/** Adds what is there to an authorization URL. */
function withParameters(url: URL, parameters: Record<string, string | undefined>): URL {
  for (const [name, value] of Object.entries(parameters)) if (value) url.searchParams.set(name, value);
  return url;
}

const tokensOf = (tokens: arctic.OAuth2Tokens): Parameters<typeof arrivalOf>[2] =>
  tokens.data as Parameters<typeof arrivalOf>[2];

/** Of those who answer with a profile and no ID token. */
const profile = (
  issuer: string,
  tokens: arctic.OAuth2Tokens,
  input: { subject: unknown; claims: Record<string, unknown>; email?: string | undefined; emailVerified: boolean },
): Arrival => {
  const { subject, claims, email, emailVerified } = input;
  if ((typeof subject !== 'string' && typeof subject !== 'number') || subject === '')
    throw new AnswerRefused('the profile names nobody');
  return { ...arrivalOf(issuer, { ...claims, sub: String(subject) }, tokensOf(tokens)), email, emailVerified };
};

const defined = (claims: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(claims).filter(([, value]) => value !== undefined && value !== null && value !== ''),
  );

const scopesOf = (provider: Provider, usual: string[]) => [...(provider.scopes ?? usual)];

/** Personal Microsoft accounts are one tenant among the others. */
const microsoftConsumers = '9188040d-6c67-4c5b-b112-36a304b66dad';
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const kinds = {
  google({ provider, call, clock, redirectUri }): Social {
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
  },

  microsoft({ provider, call, clock, redirectUri }): Social {
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
  },

  apple({ provider, call, clock, redirectUri }): Social {
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
        return arrivalOf(
          'https://appleid.apple.com',
          { ...appleName(answer.get('user')), ...claims },
          tokensOf(tokens),
        );
      },
    };
  },

  gitlab({ provider, call, clock, redirectUri, get }): Social {
    const base = provider.base_url.replace(/\/+$/, '');
    // arctic's own GitLab leaves PKCE out; its plain client has it.
    const gitlab = new arctic.OAuth2Client(provider.client_id, provider.client_secret!, redirectUri);
    const verify = createVerifier({ jwksUri: `${base}/oauth/discovery/keys`, call, clock });
    const scopes = scopesOf(provider, ['openid', 'profile', 'email']);
    const { S256 } = arctic.CodeChallengeMethod;
    return {
      url: ({ state, verifier, nonce }) =>
        withParameters(
          gitlab.createAuthorizationURLWithPKCE(`${base}/oauth/authorize`, state, S256, verifier, scopes),
          {
            nonce,
          },
        ),
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
  },

  github({ provider, redirectUri, get }): Social {
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
  },

  discord({ provider, redirectUri, get }): Social {
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
  },

  facebook({ provider, redirectUri, get }): Social {
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
  },

  linkedin({ provider, redirectUri, get }): Social {
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
  },
} satisfies Record<string, (kit: Kit) => Social>;

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

/** `{language: 'en', country: 'US'}`, or text. */
function linkedinLocale(locale: unknown): string | undefined {
  if (typeof locale === 'string') return locale.replace('_', '-');
  const { language, country } = (locale ?? {}) as { language?: unknown; country?: unknown };
  return [stringOf(language), stringOf(country)].filter(Boolean).join('-') || undefined;
}
