import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose';

type Claims = Record<string, unknown>;

/** An OpenID Connect provider whose every answer the tests decide; it lets everybody in whom `claims` names. */
export interface Upstream {
  issuer: string;
  /** Of who comes next. */
  claims: Claims;
  /** Answered by userinfo. */
  userinfo: Claims;
  /** Changes what the browser is sent back with. */
  answer?: ((parameters: URLSearchParams) => void) | undefined;
  /** Whether it looks at the code verifier, as it should. */
  pkce: boolean;
  /** Authorization requests, newest last. */
  asked: URLSearchParams[];
  codesRedeemed: number;
  rotate(): Promise<void>;
  sign(claims: Claims, header?: object): Promise<string>;
  close(): Promise<void>;
}

export async function startUpstream(clientId: string, clientSecret: string): Promise<Upstream> {
  const codes = new Map<string, { request: URLSearchParams; claims: Claims; userinfo: Claims }>();
  const tokens = new Map<string, Claims>();
  let key: { kid: string; privateKey: CryptoKey; publicKey: CryptoKey };
  const rotate = async () => {
    key = { kid: randomBytes(4).toString('hex'), ...(await generateKeyPair('ES256', { extractable: true })) };
  };
  await rotate();

  const authorize = (request: URLSearchParams, response: ServerResponse) => {
    upstream.asked.push(request);
    const code = randomBytes(16).toString('hex');
    codes.set(code, { request, claims: upstream.claims, userinfo: upstream.userinfo });
    const answer = new URLSearchParams({ code, state: request.get('state')!, iss: upstream.issuer });
    upstream.answer?.(answer);
    response.writeHead(302, { location: `${request.get('redirect_uri')}?${answer}` }).end();
  };

  const redeem = async (body: URLSearchParams, request: IncomingMessage) => {
    upstream.codesRedeemed++;
    // Both are form-encoded (RFC 6749, section 2.3.1).
    const form = (text: string) => new URLSearchParams({ _: text }).toString().slice(2);
    const expected = Buffer.from(`${form(clientId)}:${form(clientSecret)}`);
    const known = codes.get(body.get('code') ?? '');
    codes.delete(body.get('code') ?? '');
    const challenge = createHash('sha256')
      .update(body.get('code_verifier') ?? '')
      .digest('base64url');
    if (request.headers.authorization !== `Basic ${expected.toString('base64')}`) return { error: 'invalid_client' };
    if (!known || known.request.get('redirect_uri') !== body.get('redirect_uri')) return { error: 'invalid_grant' };
    if (upstream.pkce && known.request.get('code_challenge') !== challenge) return { error: 'invalid_grant' };
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: upstream.issuer, aud: clientId, iat: now, exp: now + 600, auth_time: now, ...known.claims };
    const accessToken = randomBytes(16).toString('hex');
    tokens.set(accessToken, { sub: known.claims.sub, ...known.userinfo });
    return {
      ...{ access_token: accessToken, token_type: 'Bearer', expires_in: 600 },
      id_token: await upstream.sign({ nonce: known.request.get('nonce'), ...claims }),
    };
  };

  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url!, upstream.issuer);
    const send = (body: Record<string, unknown>) =>
      response.writeHead(body.error ? 400 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    switch (url.pathname) {
      case '/.well-known/openid-configuration':
        return send({
          issuer: upstream.issuer,
          authorization_endpoint: `${upstream.issuer}/authorize`,
          token_endpoint: `${upstream.issuer}/token`,
          userinfo_endpoint: `${upstream.issuer}/userinfo`,
          jwks_uri: `${upstream.issuer}/jwks`,
          response_types_supported: ['code'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: ['ES256'],
          authorization_response_iss_parameter_supported: true,
        });
      case '/jwks':
        return send({ keys: [{ ...(await exportJWK(key.publicKey)), kid: key.kid, alg: 'ES256', use: 'sig' }] });
      case '/authorize':
        return authorize(url.searchParams, response);
      case '/token':
        return send(await redeem(new URLSearchParams(Buffer.concat(chunks).toString()), request));
      case '/userinfo':
        return send(tokens.get(request.headers.authorization?.slice('Bearer '.length) ?? '') ?? { error: 'invalid' });
      default:
        return response.writeHead(404).end();
    }
  };

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.writeHead(500).end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const upstream: Upstream = {
    issuer: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    claims: {},
    userinfo: {},
    pkce: true,
    asked: [],
    codesRedeemed: 0,
    rotate,
    sign: (claims, header = {}) =>
      new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: key.kid, ...header }).sign(key.privateKey),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return upstream;
}
