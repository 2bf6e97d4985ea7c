import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import * as oauth from 'oauth4webapi';
import * as oidc from 'openid-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cardea, startCardea } from '../support/cardea.ts';
import { discover, signInWith } from '../support/oidc.ts';
import { bootstrap, clients, ORDERS, STOCK } from '../support/seeds.ts';
import { tokenClient } from '../support/token-client.ts';

const { scope: _, ...unscoped } = clients.service as typeof clients.service & { scope: string };
const unnamed = { ...unscoped, client_id: 'unnamed' };
const ordersReader = { ...clients.service, client_id: 'orders-reader', scope: 'orders:read' };

let cardea: Cardea;
let as: oauth.AuthorizationServer;
beforeAll(async () => {
  const all = [...bootstrap.clients, unnamed, ordersReader];
  cardea = await startCardea({ bootstrap: { ...bootstrap, clients: all } });
  const issuer = new URL(cardea.issuer);
  const response = await oauth.discoveryRequest(issuer, { [oauth.allowInsecureRequests]: true });
  as = await oauth.processDiscoveryResponse(issuer, response);
});
afterAll(() => cardea?.stop());

const insecure = { [oauth.allowInsecureRequests]: true };

const introspect = async (by: { client_id: string; client_secret?: string }, token: string) =>
  oidc.tokenIntrospection(await discover(cardea, by), token);

describe('client credentials', () => {
  it('give a service a token for a resource, by the other client library too', async () => {
    const client: oauth.Client = { client_id: clients.service.client_id };
    const secret = oauth.ClientSecretBasic(clients.service.client_secret);
    const parameters = { resource: ORDERS, scope: 'orders:read' };
    const response = await oauth.clientCredentialsGrantRequest(as, client, secret, parameters, insecure);
    const token = await oauth.processClientCredentialsResponse(as, client, response);
    const request = new Request(`${ORDERS}/1`, { headers: { authorization: `Bearer ${token.access_token}` } });
    const claims = await oauth.validateJwtAccessToken(as, request, ORDERS, insecure);
    expect(claims).toMatchObject({ client_id: 'service', scope: 'orders:read', aud: ORDERS });
  });

  it('are refused with a wrong secret, without waiting for anything', async () => {
    const config = await discover(cardea, { client_id: 'service', client_secret: 'wrong' });
    await expect(oidc.clientCredentialsGrant(config)).rejects.toMatchObject({ status: 401 });
    const unknown = await discover(cardea, { client_id: 'nobody', client_secret: 'wrong' });
    await expect(oidc.clientCredentialsGrant(unknown)).rejects.toMatchObject({ status: 401 });
  });

  it('are for the clients that may use them', async () => {
    const config = await discover(cardea, clients.web);
    const refused = { error: 'unauthorized_client', status: 400 };
    await expect(oidc.clientCredentialsGrant(config)).rejects.toMatchObject(refused);
  });

  it('give nothing of an API that nobody wrote down for this client', async () => {
    const refused = { error: 'invalid_target', status: 400 };
    const unwritten = await discover(cardea, unnamed);
    const ask = (scope?: string) =>
      oidc.clientCredentialsGrant(unwritten, { resource: ORDERS, ...(scope && { scope }) });
    await expect(ask('orders:read')).rejects.toMatchObject(refused);
    await expect(ask()).rejects.toMatchObject(refused);
    const reader = await discover(cardea, ordersReader);
    const { access_token } = await oidc.clientCredentialsGrant(reader, {
      resource: ORDERS,
      scope: 'orders:read orders:write groups',
    });
    expect(decodeJwt(access_token).scope).toBe('orders:read');
    const elsewhere = oidc.clientCredentialsGrant(reader, { resource: STOCK, scope: 'stock:read' });
    await expect(elsewhere).rejects.toMatchObject(refused);
  });

  it('refuse a resource that is not known and a scope it does not have', async () => {
    const config = await discover(cardea, clients.service);
    const unknown = oidc.clientCredentialsGrant(config, { resource: 'https://nowhere.example' });
    await expect(unknown).rejects.toMatchObject({ error: 'invalid_target' });
    const token = await oidc.clientCredentialsGrant(config, { resource: ORDERS, scope: 'orders:read stock:read' }).then(
      (tokens) => decodeJwt(tokens.access_token).scope,
      (error) => error.error,
    );
    expect(['orders:read', 'invalid_scope']).toContain(token);
  });
});

describe('resource indicators (RFC 8707)', () => {
  it('make a JWT for one API, signed with a published key', async () => {
    const config = await discover(cardea, clients.web);
    const { tokens, claims } = await signInWith(config, {
      parameters: { resource: ORDERS, scope: 'openid orders:read' },
      tokenParameters: { resource: ORDERS },
    });
    const jwks = createRemoteJWKSet(new URL(as.jwks_uri!));
    const { payload } = await jwtVerify(tokens.access_token, jwks, {
      issuer: cardea.issuer,
      audience: ORDERS,
      typ: 'at+jwt',
    });
    expect(payload).toMatchObject({ sub: claims.sub, client_id: 'web', scope: 'orders:read' });
    const other = oidc.refreshTokenGrant(config, tokens.refresh_token!, { resource: STOCK });
    await expect(other).rejects.toMatchObject({ error: 'invalid_target' });
  });
});

describe('introspection and revocation', () => {
  it('tell a resource server of a token that was made for it, opaque or JWT', async () => {
    const config = await discover(cardea, clients.web);
    for (const [resource, scope] of [
      [ORDERS, 'orders:read'],
      [STOCK, 'stock:read'],
    ] as const) {
      const { tokens, claims } = await signInWith(config, {
        parameters: { resource, scope: `openid ${scope}` },
        tokenParameters: { resource },
      });
      const answer = await introspect(clients.orders, tokens.access_token);
      expect(answer).toMatchObject({ active: true, sub: claims.sub, client_id: 'web', scope, aud: resource });
      expect((await introspect(clients.stranger, tokens.access_token)).active).toBe(false);

      await oidc.tokenRevocation(config, tokens.access_token);
      expect(await introspect(clients.orders, tokens.access_token)).toEqual({ active: false });
    }
  });

  it('a revoked refresh token takes its access tokens along, of both formats', async () => {
    const config = await discover(cardea, clients.web);
    for (const [resource, scope] of [
      [ORDERS, 'orders:read'],
      [STOCK, 'stock:read'],
    ] as const) {
      const { tokens } = await signInWith(config, {
        parameters: { resource, scope: `openid ${scope}` },
        tokenParameters: { resource },
      });
      await oidc.tokenRevocation(config, tokens.refresh_token!);
      expect(await introspect(clients.orders, tokens.access_token)).toEqual({ active: false });
      await expect(oidc.refreshTokenGrant(config, tokens.refresh_token!)).rejects.toMatchObject({
        error: 'invalid_grant',
      });
    }
  });

  it('a revoked access token leaves what the application holds besides it', async () => {
    const web = tokenClient(cardea.issuer, clients.web);
    const { access_token, refresh_token } = await web.signIn({ parameters: { scope: 'openid offline_access' } });
    const next = String((await web.refresh(refresh_token)).body.access_token);
    await web.revoke(access_token);
    expect((await web.userinfo(access_token)).status).toBe(401);
    expect((await web.userinfo(next)).status).toBe(200);
  });

  it('say nothing of garbage, and revoking it is no error', async () => {
    const config = await discover(cardea, clients.web);
    for (const token of ['x', 'a.b.c', 'e30.e30.e30', '\u{1F98A}', 'x'.repeat(5000)]) {
      expect(await introspect(clients.orders, token)).toEqual({ active: false });
      await oidc.tokenRevocation(config, token);
    }
  });

  it('a client cannot revoke what another one holds', async () => {
    const config = await discover(cardea, clients.web);
    const { tokens, claims } = await signInWith(config);
    await oidc.tokenRevocation(await discover(cardea, clients.signed), tokens.access_token).catch(() => {});
    expect(await oidc.fetchUserInfo(config, tokens.access_token, claims.sub)).toMatchObject({ sub: claims.sub });
  });
});

describe('device flow (RFC 8628)', () => {
  it('starts with a code to type, and waits', async () => {
    const config = await discover(cardea, clients.device);
    const started = await oidc.initiateDeviceAuthorization(config, { scope: 'openid' });
    expect(started).toMatchObject({ verification_uri: `${cardea.issuer}/device`, user_code: expect.any(String) });
    const waiting = oidc.genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:device_code', {
      device_code: started.device_code,
    });
    await expect(waiting).rejects.toMatchObject({ error: 'authorization_pending' });
  });
});
