import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { createServer, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cardea, freePorts, startCardea } from '../support/cardea.ts';
import { type Certificate, makeCertificate } from '../support/certificates.ts';
import { bootstrap, CALLBACK, clients, createPerson, ORDERS, STOCK } from '../support/seeds.ts';
import { tokenClient } from '../support/token-client.ts';

// TLS by Cardea itself and by a proxy in front: the same promises hold for certificates of clients (RFC 8705).

const authority = makeCertificate('Test Authority', { authority: true });
const server = makeCertificate('localhost', { issuer: authority, dns: 'localhost' });
const service = makeCertificate('service', { issuer: authority });
const sibling = makeCertificate('sibling', { issuer: authority });
const expired = makeCertificate('service', { issuer: authority, days: -1 });
/** Says the same of itself, and nobody we trust says so. */
const impostor = makeCertificate('service', { issuer: makeCertificate('Test Authority', { authority: true }) });
const alone = makeCertificate('alone');

const bare = { redirect_uris: [], response_types: [], grant_types: ['client_credentials'], scope: 'orders:read' };
const bound = { tls_client_certificate_bound_access_tokens: true };
const mutual = [
  {
    ...bare,
    ...bound,
    client_id: 'by-authority',
    scope: 'scim.read orders:read',
    token_endpoint_auth_method: 'tls_client_auth',
    tls_client_auth_subject_dn: 'CN=service',
  },
  {
    ...bare,
    ...bound,
    client_id: 'self-signed',
    token_endpoint_auth_method: 'self_signed_tls_client_auth',
    jwks: {
      keys: [
        {
          ...alone.publicKey.export({ format: 'jwk' }),
          x5c: [alone.der.toString('base64')],
          'x5t#S256': alone.thumbprint,
        },
      ],
    },
  },
  { ...clients.web, ...bound, client_id: 'bound-web' },
];
const seeds = { ...bootstrap, clients: [...bootstrap.clients, ...mutual] };

const home = mkdtempSync(join(tmpdir(), 'cardea-tls-'));
const file = (name: string, content: string) => {
  const path = join(home, name);
  writeFileSync(path, content);
  return path;
};
const files = {
  TLS_CLIENT_CA_FILE: file('authority.pem', authority.cert),
  TLS_CERT_FILE: file('server.pem', server.cert),
  TLS_KEY_FILE: file('server.key', server.key),
};
const settings = { demo: { enabled: false } };

async function byItself() {
  const [port] = await freePorts(1);
  const issuer = `https://localhost:${port}`;
  const cardea = await startCardea({
    settings,
    bootstrap: seeds,
    env: { ...files, CARDEA_ISSUER: issuer, PORT: String(port) },
  });
  return { cardea, issuer, stop: () => cardea.stop() };
}

/** As a proxy does it: TLS ends here, the client's certificate travels in a header that clients cannot set. */
async function behindProxy() {
  let cardea: Cardea;
  const proxy = createServer({ ...server, requestCert: true, rejectUnauthorized: false }, (incoming, outgoing) => {
    const { raw } = (incoming.socket as TLSSocket).getPeerCertificate();
    const pem = raw && `-----BEGIN CERTIFICATE-----\n${raw.toString('base64')}\n-----END CERTIFICATE-----\n`;
    const { 'x-client-certificate': _, ...headers } = incoming.headers;
    const onward = httpRequest(
      {
        host: 'localhost',
        port: cardea.env.PORT,
        method: incoming.method,
        path: incoming.url,
        headers: {
          ...headers,
          'x-forwarded-proto': 'https',
          ...(pem && { 'x-client-certificate': encodeURIComponent(pem) }),
        },
      },
      (answer) => {
        outgoing.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(outgoing);
      },
    );
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => proxy.listen(0, resolve));
  const issuer = `https://localhost:${(proxy.address() as { port: number }).port}`;
  cardea = await startCardea({
    settings: { ...settings, proxy: { client_certificate_header: 'x-client-certificate' } },
    bootstrap: seeds,
    env: { TLS_CLIENT_CA_FILE: files.TLS_CLIENT_CA_FILE, CARDEA_ISSUER: issuer, CARDEA_TRUSTED_PROXIES: 'loopback' },
  });
  return {
    cardea,
    issuer,
    async stop() {
      await cardea.stop();
      proxy.closeAllConnections();
      proxy.close();
    },
  };
}

describe.each([
  ['by Cardea itself', byItself],
  ['by a proxy in front', behindProxy],
] as const)('TLS %s', (_name, start) => {
  let at: { issuer: string; stop(): Promise<unknown> };
  beforeAll(async () => {
    // The pages are walked through with fetch, which knows nothing of our authority.
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    at = await start();
  });
  afterAll(async () => {
    delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    await at?.stop();
  });

  /** Over TLS that is checked, with or without a certificate of one's own. */
  const send = (
    path: string,
    options: { by?: Certificate; form?: Record<string, string>; headers?: Record<string, string> },
  ) =>
    new Promise<{ status: number; body: Record<string, string> }>((resolve, reject) => {
      const { by, form, headers = {} } = options;
      const asked = request(
        at.issuer + path,
        {
          method: form ? 'POST' : 'GET',
          ca: authority.cert,
          rejectUnauthorized: true,
          agent: false,
          ...(by && { cert: by.cert, key: by.key }),
          headers: { ...(form && { 'content-type': 'application/x-www-form-urlencoded' }), ...headers },
        },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk) => {
            text += chunk;
          });
          response.on('end', () =>
            resolve({ status: response.statusCode!, body: text.startsWith('{') ? JSON.parse(text) : {} }),
          );
        },
      );
      asked.on('error', reject).end(form && new URLSearchParams(form).toString());
    });
  const credentials = (client_id: string, by?: Certificate, headers?: Record<string, string>) =>
    send('/token', {
      ...(by && { by }),
      ...(headers && { headers }),
      form: { client_id, grant_type: 'client_credentials', resource: ORDERS, scope: 'orders:read' },
    });

  it('discovery and cookies speak https', async () => {
    const { body } = await send('/.well-known/openid-configuration', {});
    expect(body).toMatchObject({ issuer: at.issuer, token_endpoint: `${at.issuer}/token` });
    expect(body.token_endpoint_auth_methods_supported).toEqual(
      expect.arrayContaining(['tls_client_auth', 'self_signed_tls_client_auth']),
    );
    const person = createPerson();
    await person.open(tokenClient(at.issuer, clients.web).authorizeUrl());
    const names = person.cookies.all().map(({ name }) => name);
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect(name).toMatch(/^__(Host|Secure)-/);
  });

  it('a client is who its authority says it is (tls_client_auth), and its token is bound to the certificate', async () => {
    const { status, body } = await credentials('by-authority', service);
    expect(status).toBe(200);
    expect(decodeJwt(body.access_token!).cnf).toEqual({ 'x5t#S256': service.thumbprint });
    for (const by of [undefined, sibling, impostor, expired, alone]) {
      expect(await credentials('by-authority', by)).toMatchObject({ status: 401, body: { error: 'invalid_client' } });
    }
  });

  it('a client is known by a certificate of its own (self_signed_tls_client_auth)', async () => {
    const { status, body } = await credentials('self-signed', alone);
    expect(status).toBe(200);
    expect(decodeJwt(body.access_token!).cnf).toEqual({ 'x5t#S256': alone.thumbprint });
    for (const by of [undefined, service, makeCertificate('alone')])
      expect(await credentials('self-signed', by)).toMatchObject({ status: 401 });
  });

  it('tokens bound to a certificate are worth nothing with another, or with none', async () => {
    const web = tokenClient(at.issuer, { ...clients.web, client_id: 'bound-web' });
    const { client_secret } = clients.web;
    const authorization = `Basic ${btoa(`bound-web:${encodeURIComponent(client_secret)}`)}`;
    const redeem = (code: string, by?: Certificate) =>
      send('/token', {
        ...(by && { by }),
        headers: { authorization },
        form: { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: 'v'.repeat(43) },
      });
    expect((await redeem(await web.code())).status).toBe(400);
    const { status, body } = await redeem(await web.code({ parameters: { scope: 'openid email' } }), service);
    expect(status).toBe(200);

    const userinfo = (by?: Certificate) =>
      send('/userinfo', { ...(by && { by }), headers: { authorization: `Bearer ${body.access_token}` } });
    expect(await userinfo(service)).toMatchObject({ status: 200, body: { email: 'ada@example.com' } });
    for (const by of [undefined, sibling, alone]) expect((await userinfo(by)).status).toBe(401);
    const introspected = await send('/introspect', { headers: { authorization }, form: { token: body.access_token! } });
    expect(introspected.body).toMatchObject({ active: true, cnf: { 'x5t#S256': service.thumbprint } });
  });

  it('our own APIs take such a token only with its certificate', async () => {
    const form = { client_id: 'by-authority', grant_type: 'client_credentials', scope: 'scim.read' };
    const { body } = await send('/token', { by: service, form });
    const ask = (by?: Certificate) =>
      send('/scim/v2/ResourceTypes', {
        ...(by && { by }),
        headers: { authorization: `Bearer ${body.access_token}` },
      });
    expect((await ask(service)).status).toBe(200);
    for (const by of [undefined, sibling, alone]) expect((await ask(by)).status).toBe(401);
  });

  it('a header that a client sends by itself proves nothing', async () => {
    const header = { 'x-client-certificate': encodeURIComponent(service.cert), 'x-client-verify': 'SUCCESS' };
    expect((await credentials('by-authority', undefined, header)).status).toBe(401);
  });
});

it('a certificate in a header is believed from a trusted proxy alone', async () => {
  const cardea = await startCardea({
    settings: { ...settings, proxy: { client_certificate_header: 'x-client-certificate' } },
    bootstrap: seeds,
    env: { TLS_CLIENT_CA_FILE: files.TLS_CLIENT_CA_FILE },
  });
  const by = { 'x-client-certificate': encodeURIComponent(service.cert) };
  const client = tokenClient(cardea.issuer, { client_id: 'by-authority' });
  const answer = await client.post(
    '/token',
    { grant_type: 'client_credentials', resource: STOCK, scope: 'stock:read' },
    by,
  );
  expect(answer).toMatchObject({ status: 401, error: 'invalid_client' });
  await cardea.stop();
});

afterAll(() => rmSync(home, { recursive: true }));
