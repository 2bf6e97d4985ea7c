import { createHash, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, jwtVerify, SignJWT } from 'jose';

/**
 * Social providers as they answer for real: paths, ways of authentication, shapes and oddities are those of their
 * documentation. One server stands for all of them; Cardea is told by `federation.endpoints` where it is.
 */

type Claims = Record<string, unknown>;

/** What a provider is to answer; changed by the tests. */
export interface Stage {
  /** Claims of the ID token, beside those that belong to the request. */
  idToken: Claims;
  /** Answers of the profile endpoints, by path. */
  profile: Record<string, unknown>;
  /** In place of a good answer of the token endpoint. */
  tokenAnswer?: { status: number; body: unknown } | undefined;
  /** In place of a code. */
  error?: string | undefined;
  /** Apple's `user`, which it sends but once. */
  user?: string | undefined;
  /** The ID token as it is signed otherwise. */
  forge?: ((claims: Claims) => Promise<string>) | undefined;
  /** Never answers. */
  silent?: boolean;
}

export interface Standins {
  endpoints: Record<string, string>;
  stage: Record<string, Stage>;
  /** Authorization requests, newest last. */
  asked: URLSearchParams[];
  applePrivateKey: string;
  close(): Promise<void>;
}

export const CLIENT = { id: 'cardea-at-the-provider', secret: 'a secret of both that is long enough' };
export const APPLE = { team: 'TEAM123456', key: 'KEY1234567' };

interface Kind {
  authorize: string;
  token: string;
  keys?: string;
  profile?: string[];
  auth: 'basic' | 'post' | 'apple';
  pkce: boolean;
  issuer?: string;
  /** Sent with the answer (RFC 9207). */
  iss?: string;
  /** Posts its answer. */
  formPost?: boolean;
}

const kinds: Record<string, Kind> = {
  google: {
    authorize: 'accounts.google.com/o/oauth2/v2/auth',
    token: 'oauth2.googleapis.com/token',
    keys: 'www.googleapis.com/oauth2/v3/certs',
    ...{ auth: 'basic', pkce: true, issuer: 'https://accounts.google.com', iss: 'https://accounts.google.com' },
  },
  microsoft: {
    authorize: 'login.microsoftonline.com/organizations/oauth2/v2.0/authorize',
    token: 'login.microsoftonline.com/organizations/oauth2/v2.0/token',
    keys: 'login.microsoftonline.com/organizations/discovery/v2.0/keys',
    ...{ auth: 'basic', pkce: true },
  },
  apple: {
    authorize: 'appleid.apple.com/auth/authorize',
    token: 'appleid.apple.com/auth/token',
    keys: 'appleid.apple.com/auth/keys',
    ...{ auth: 'apple', pkce: false, issuer: 'https://appleid.apple.com', formPost: true },
  },
  github: {
    authorize: 'github.com/login/oauth/authorize',
    token: 'github.com/login/oauth/access_token',
    profile: ['api.github.com/user', 'api.github.com/user/emails'],
    ...{ auth: 'basic', pkce: true },
  },
  gitlab: {
    authorize: 'gitlab.com/oauth/authorize',
    token: 'gitlab.com/oauth/token',
    keys: 'gitlab.com/oauth/discovery/keys',
    profile: ['gitlab.com/oauth/userinfo'],
    ...{ auth: 'basic', pkce: true, issuer: 'https://gitlab.com' },
  },
  discord: {
    authorize: 'discord.com/oauth2/authorize',
    token: 'discord.com/api/oauth2/token',
    profile: ['discord.com/api/users/@me'],
    ...{ auth: 'basic', pkce: true },
  },
  facebook: {
    authorize: 'www.facebook.com/v16.0/dialog/oauth',
    token: 'graph.facebook.com/v16.0/oauth/access_token',
    profile: ['graph.facebook.com/v16.0/me'],
    ...{ auth: 'post', pkce: false },
  },
  linkedin: {
    authorize: 'www.linkedin.com/oauth/v2/authorization',
    token: 'www.linkedin.com/oauth/v2/accessToken',
    profile: ['api.linkedin.com/v2/userinfo'],
    ...{ auth: 'post', pkce: false },
  },
};

const refusal = (error: string) => ({ status: 400, body: { error } });

export async function startProviders(): Promise<Standins> {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const apple = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwks = { keys: [{ ...(await exportJWK(rsa.publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' }] };
  const codes = new Map<string, { kind: string; request: URLSearchParams }>();
  const tokens = new Map<string, string>();
  const asked: URLSearchParams[] = [];
  const stage: Record<string, Stage> = {};
  for (const kind of Object.keys(kinds)) stage[kind] = { idToken: {}, profile: {} };

  const authorize = (kind: string, request: URLSearchParams, response: ServerResponse) => {
    const { pkce, iss, formPost } = kinds[kind]!;
    asked.push(request);
    const redirect = new URL(request.get('redirect_uri')!);
    const sound =
      request.get('client_id') === CLIENT.id &&
      request.get('response_type') === 'code' &&
      request.get('scope') &&
      (!pkce || request.get('code_challenge_method') === 'S256') &&
      (!formPost || request.get('response_mode') === 'form_post');
    const { error, user } = stage[kind]!;
    const answer: Record<string, string> = { state: request.get('state')!, ...(iss ? { iss } : {}) };
    if (error) answer.error = error;
    else if (!sound) answer.error = 'invalid_request';
    else {
      answer.code = randomBytes(16).toString('hex');
      codes.set(answer.code, { kind, request });
      if (user) answer.user = user;
    }
    if (formPost) {
      const fields = Object.entries(answer).map(([name, value]) => {
        return `<input type="hidden" name="${name}" value="${value.replaceAll('"', '&quot;')}">`;
      });
      response.setHeader('content-type', 'text/html');
      return response.end(`<form method="post" action="${redirect.href}">${fields.join('')}<button>Go</button></form>`);
    }
    for (const [name, value] of Object.entries(answer)) redirect.searchParams.set(name, value);
    response.writeHead(302, { location: redirect.href }).end();
  };

  const isAuthentic = async (how: Kind['auth'], request: IncomingMessage, body: URLSearchParams): Promise<boolean> => {
    if (how === 'basic') {
      const expected = Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64');
      return request.headers.authorization === `Basic ${expected}`;
    }
    if (body.get('client_id') !== CLIENT.id) return false;
    if (how === 'post') return body.get('client_secret') === CLIENT.secret;
    const { protectedHeader } = await jwtVerify(body.get('client_secret') ?? '', createPublicKey(apple.privateKey), {
      issuer: APPLE.team,
      subject: CLIENT.id,
      audience: 'https://appleid.apple.com',
      algorithms: ['ES256'],
    });
    return protectedHeader.kid === APPLE.key;
  };

  const redeem = async (kind: string, request: IncomingMessage, body: URLSearchParams) => {
    const { auth, pkce, issuer } = kinds[kind]!;
    const { tokenAnswer, idToken, forge } = stage[kind]!;
    if (tokenAnswer) return tokenAnswer;
    if (!(await isAuthentic(auth, request, body).catch(() => false)))
      return { ...refusal('invalid_client'), status: 401 };
    const known = codes.get(body.get('code') ?? '');
    codes.delete(body.get('code') ?? '');
    if (!known || known.kind !== kind) return refusal('invalid_grant');
    if (known.request.get('redirect_uri') !== body.get('redirect_uri')) return refusal('invalid_grant');
    const challenge = createHash('sha256')
      .update(body.get('code_verifier') ?? '')
      .digest('base64url');
    if (pkce && known.request.get('code_challenge') !== challenge) return refusal('invalid_grant');
    const accessToken = randomBytes(16).toString('hex');
    tokens.set(accessToken, kind);
    const nonce = known.request.get('nonce');
    const now = Math.floor(Date.now() / 1000);
    const claims: Claims = {
      iss: issuer,
      aud: CLIENT.id,
      iat: now,
      exp: now + 600,
      ...(nonce ? { nonce } : {}),
      ...idToken,
    };
    const sign = () => new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'k1' }).sign(rsa.privateKey);
    const hasIdToken = kinds[kind]!.keys !== undefined;
    return {
      status: 200,
      body: {
        access_token: accessToken,
        token_type: kind === 'github' ? 'bearer' : 'Bearer',
        // GitHub separates scopes by commas and tells no life.
        ...(kind === 'github' ? { scope: 'read:user,user:email' } : { expires_in: 3600, refresh_token: 'refresh' }),
        ...(hasIdToken ? { id_token: await (forge ? forge(claims) : sign()) } : {}),
      },
    };
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<unknown> => {
    const url = new URL(request.url!, 'http://stand.in');
    const path = url.pathname.slice(1);
    const [kind, is] = Object.entries(kinds).find(([, { authorize, token, keys, profile = [] }]) =>
      [authorize, token, keys, ...profile].includes(path),
    ) ?? [undefined, undefined];
    if (!kind || !is) return response.writeHead(404).end();
    if (path === is.authorize) return authorize(kind, url.searchParams, response);
    if (stage[kind]!.silent) return;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const send = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (path === is.keys) return send(200, jwks);
    if (path === is.token) {
      const { status, body } = await redeem(kind, request, new URLSearchParams(Buffer.concat(chunks).toString()));
      return send(status, body);
    }
    const token = request.headers.authorization?.replace(/^Bearer /, '') ?? '';
    if (tokens.get(token) !== kind) return send(401, { message: 'Bad credentials' });
    if (path.startsWith('api.github.com') && !request.headers['user-agent']) return send(403, {});
    return send(200, stage[kind]!.profile[`/${path.split('/').slice(1).join('/')}`]);
  };

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.writeHead(500).end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const hosts = Object.values(kinds).flatMap(({ authorize, token, keys, profile = [] }) =>
    [authorize, token, keys ?? authorize, ...profile].map((path) => path.split('/')[0]!),
  );
  return {
    endpoints: Object.fromEntries(hosts.map((host) => [`https://${host}`, `${at}/${host}`])),
    stage,
    asked,
    applePrivateKey: apple.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
