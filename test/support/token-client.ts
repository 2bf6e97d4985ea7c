import { createHash, randomBytes } from 'node:crypto';
import { decodeJwt, exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { PlainClient } from './client.ts';
import { ADA, authorize, CALLBACK, createPerson } from './seeds.ts';

export interface Answer {
  status: number;
  /** `error` of the protocol, or undefined. */
  error: string | undefined;
  body: Record<string, unknown>;
  headers: Headers;
}

export interface Tokens {
  access_token: string;
  refresh_token: string;
  id_token: string;
  scope: string;
}

type Fields = Record<string, string>;
interface Metadata {
  client_id: string;
  client_secret?: string;
}

const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
const verifier = 'v'.repeat(43);
const challenge = createHash('sha256').update(verifier).digest('base64url');

/**
 * A client that speaks the endpoints without a library's checks and caches, so that a test can send one request many
 * times at once, and a wrong one. `at` is asked for each request, so that it may be one process, then another.
 */
export function tokenClient(at: string | (() => string), client: Metadata) {
  const base = typeof at === 'string' ? () => at : at;
  const proof: Fields = client.client_secret
    ? {
        authorization: `Basic ${btoa(`${encodeURIComponent(client.client_id)}:${encodeURIComponent(client.client_secret)}`)}`,
      }
    : {};

  async function post(path: string, fields: Fields, headers: Fields = {}): Promise<Answer> {
    const body = new URLSearchParams(client.client_secret ? fields : { client_id: client.client_id, ...fields });
    return read(await fetch(base() + path, { method: 'POST', body, headers: { ...proof, ...headers } }));
  }
  const token = (fields: Fields, headers?: Fields) => post('/token', fields, headers);

  const authorizeUrl = (parameters: Fields = {}) =>
    new URL(
      `${base()}/authorize?${new URLSearchParams({
        client_id: client.client_id,
        response_type: 'code',
        scope: 'openid',
        redirect_uri: CALLBACK,
        code_challenge: challenge,
        code_challenge_method: 'S256',
        ...parameters,
      })}`,
    );
  const redeem = (code: string, fields: Fields = {}, headers?: Fields) =>
    token(
      { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: CALLBACK, ...fields },
      headers,
    );

  /** A code for who is signed in, or signs in. */
  async function code(
    options: { person?: PlainClient; email?: string; password?: string; totp?: string; parameters?: Fields } = {},
  ) {
    const { person = createPerson(), email = ADA.email, parameters, ...rest } = options;
    const back = await authorize(authorizeUrl(parameters), { person, email, ...rest });
    const found = back.searchParams.get('code');
    if (!found) throw new Error(`no code: ${back}`);
    return found;
  }

  return {
    post,
    token,
    authorizeUrl,
    code,
    redeem,
    /** The whole of a sign-in. */
    async signIn(options: Parameters<typeof code>[0] & { tokenParameters?: Fields } = {}): Promise<Tokens> {
      const answer = await redeem(await code(options), options.tokenParameters);
      if (answer.status !== 200) throw new Error(`no tokens: ${JSON.stringify(answer.body)}`);
      return answer.body as unknown as Tokens;
    },
    refresh: (refresh_token: string, fields: Fields = {}, headers?: Fields) =>
      token({ grant_type: 'refresh_token', refresh_token, ...fields }, headers),
    credentials: (fields: Fields = {}) => token({ grant_type: 'client_credentials', ...fields }),
    introspect: async (token: string) => (await post('/introspect', { token })).body,
    revoke: (token: string) => post('/revoke', { token }),
    push: (parameters: Fields = {}) => post('/par', Object.fromEntries(authorizeUrl(parameters).searchParams)),
    pushedUrl: (request_uri: unknown) =>
      new URL(
        `${base()}/authorize?${new URLSearchParams({ client_id: client.client_id, request_uri: String(request_uri) })}`,
      ),
    startDevice: async (scope = 'openid') =>
      (await post('/device/authorize', { scope })).body as unknown as { device_code: string; user_code: string },
    poll: (device_code: string) => token({ grant_type: DEVICE, device_code }),
    userinfo: async (access_token: string, headers: Fields = {}): Promise<Answer> =>
      read(await fetch(`${base()}/userinfo`, { headers: { authorization: `Bearer ${access_token}`, ...headers } })),
  };
}

export type TokenClient = ReturnType<typeof tokenClient>;

async function read(response: Response): Promise<Answer> {
  const text = await response.text();
  const { status, headers } = response;
  const isJson = headers.get('content-type')?.includes('json');
  const body = (isJson && text ? JSON.parse(text) : { text }) as Record<string, unknown>;
  return { status, headers, body, error: body.error as string | undefined };
}

/** Types in the code that a device shows, says yes, and signs in. */
export async function allowDevice(issuer: string, person: PlainClient, userCode: string): Promise<void> {
  const asked = await person.open(`${issuer}/device`);
  const typed = await person.submit(asked, { user_code: userCode });
  let page = await person.submit(typed, {}, { button: 'Connect' });
  for (let steps = 0; steps < 4 && page.url.pathname.startsWith('/signin/'); steps++) {
    const step = page.url.pathname.split('/').at(-1);
    if (step === 'identifier') page = await person.submit(page, { identifier: ADA.email });
    else if (step === 'password') page = await person.submit(page, { password: ADA.password });
    else page = await person.submit(page, {}, { button: 'allow' });
  }
  if (page.status !== 200) throw new Error(`the device was not let in: ${page.status} ${page.text.slice(0, 300)}`);
}

/** A key for DPoP and proofs by it. */
export async function dpopKey() {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const jwk = await exportJWK(publicKey);
  return {
    /** @param claims for example `ath` */
    proof: (method: string, url: string, claims: Record<string, unknown> = {}) =>
      new SignJWT({ htm: method, htu: url, jti: randomBytes(12).toString('hex'), ...claims })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
        .setIssuedAt()
        .sign(privateKey),
  };
}

export const claimsOf = (token: string) => decodeJwt(token);
export const times = <T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => work(index)));
