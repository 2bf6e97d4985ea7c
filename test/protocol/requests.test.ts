import * as oidc from 'openid-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cardea, startCardea } from '../support/cardea.ts';
import { discover, signInWith } from '../support/oidc.ts';
import { authorize, bootstrap, CALLBACK, clients, createPerson, requestKey } from '../support/seeds.ts';

let cardea: Cardea;
beforeAll(async () => {
  cardea = await startCardea({ bootstrap });
});
afterAll(() => cardea?.stop());

describe('pushed requests (RFC 9126)', () => {
  it('sign in, once', async () => {
    const config = await discover(cardea, clients.pushed);
    let pushed: URL | undefined;
    const request = async (...[c, p]: Parameters<typeof oidc.buildAuthorizationUrlWithPAR>) => {
      pushed = await oidc.buildAuthorizationUrlWithPAR(c, p);
      return pushed;
    };
    const { claims } = await signInWith(config, { request });
    expect(claims.aud).toBe('pushed');
    expect([...pushed!.searchParams.keys()].sort()).toEqual(['client_id', 'request_uri']);
    const again = await createPerson().open(pushed!);
    expect(again.url.searchParams.get('error')).toBe('invalid_request_uri');
  });

  it('are required of a client that says so', async () => {
    const config = await discover(cardea, clients.pushed);
    const url = oidc.buildAuthorizationUrl(config, { redirect_uri: CALLBACK, scope: 'openid', state: 's' });
    expect((await authorize(url)).searchParams.get('error')).toBe('invalid_request');
  });

  it('refuse a redirect URI that is not registered, at once', async () => {
    const config = await discover(cardea, clients.pushed);
    const pushing = oidc.buildAuthorizationUrlWithPAR(config, {
      redirect_uri: 'https://evil.example/',
      scope: 'openid',
    });
    await expect(pushing).rejects.toMatchObject({ error: 'invalid_request', status: 400 });
  });
});

describe('DPoP (RFC 9449)', () => {
  it('binds the tokens to the key', async () => {
    const config = await discover(cardea, clients.bound);
    const DPoP = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256'));
    const { tokens, claims } = await signInWith(config, { DPoP, parameters: { scope: 'openid email' } });
    expect(tokens.token_type).toBe('dpop');
    expect(await oidc.fetchUserInfo(config, tokens.access_token, claims.sub, { DPoP })).toMatchObject({
      sub: claims.sub,
    });

    const thief = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256'));
    await expect(oidc.fetchUserInfo(config, tokens.access_token, claims.sub, { DPoP: thief })).rejects.toThrow();
    const asBearer = await fetch(config.serverMetadata().userinfo_endpoint!, {
      headers: { authorization: `Bearer ${tokens.access_token}` },
    });
    expect(asBearer.status).toBe(401);
    const fresh = await oidc.refreshTokenGrant(config, tokens.refresh_token!, undefined, { DPoP });
    expect(fresh.token_type).toBe('dpop');
  });

  it('is required of a client that says so', async () => {
    const config = await discover(cardea, clients.bound);
    await expect(signInWith(config)).rejects.toMatchObject({
      error: 'invalid_grant',
      error_description: 'grant request is invalid',
    });
  });

  it('refuses a proof that was sent before', async () => {
    const config = await discover(cardea, clients.bound);
    const proofs: string[] = [];
    config[oidc.customFetch] = (url, options) => {
      const proof = new Headers(options.headers).get('dpop');
      if (proof) proofs.push(proof);
      return fetch(url, options as RequestInit);
    };
    const DPoP = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256'));
    const { tokens, claims } = await signInWith(config, { DPoP });
    await oidc.fetchUserInfo(config, tokens.access_token, claims.sub, { DPoP });
    const replayed = await fetch(config.serverMetadata().userinfo_endpoint!, {
      headers: { authorization: `DPoP ${tokens.access_token}`, dpop: proofs.at(-1)! },
    });
    expect(replayed.status).toBe(401);
    expect(replayed.headers.get('www-authenticate')).toMatch(/^DPoP .*error="invalid_/);
  });
});

describe('signed requests and answers (JAR, JARM)', () => {
  const key = async () => ({
    key: await crypto.subtle.importKey(
      'jwk',
      requestKey.privateKey.export({ format: 'jwk' }),
      { name: 'ECDSA', namedCurve: 'P-256' },
      false,
      ['sign'],
    ),
    kid: 'request',
  });

  it('sign in a client that authenticates with its key', async () => {
    const signing = await key();
    const config = await discover(cardea, clients.signer, oidc.PrivateKeyJwt(signing));
    oidc.useJwtResponseMode(config);
    const { claims, callback } = await signInWith(config, {
      request: (c, p) => oidc.buildAuthorizationUrlWithJAR(c, p, signing),
    });
    expect(claims.aud).toBe('signer');
    expect([...callback.searchParams.keys()]).toEqual(['response']);
  });

  it('refuse an unsigned request, and one signed by another key', async () => {
    const signing = await key();
    const config = await discover(cardea, clients.signer, oidc.PrivateKeyJwt(signing));
    const parameters = { redirect_uri: CALLBACK, scope: 'openid', state: 's', response_type: 'code' };
    const plain = await createPerson().open(oidc.buildAuthorizationUrl(config, parameters));
    const said = new URLSearchParams(plain.url.search).get('error') ?? plain.text;
    expect(`${plain.status} ${said}`).toMatch(/invalid_request|request|400|0/);
    expect(plain.url.searchParams.get('code')).toBeNull();

    const other = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
    const forged = await oidc.buildAuthorizationUrlWithJAR(config, parameters, {
      key: other.privateKey,
      kid: 'request',
    });
    const answer = await createPerson().open(forged);
    expect(answer.url.searchParams.get('code')).toBeNull();
    expect(answer.status).toBeLessThan(500);
  });
});
