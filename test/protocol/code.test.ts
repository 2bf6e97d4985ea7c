import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import * as oidc from 'openid-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cardea, startCardea } from '../support/cardea.ts';
import { discover, signInWith } from '../support/oidc.ts';
import { ADA, authorize, bootstrap, CALLBACK, clients, createPerson, GRACE } from '../support/seeds.ts';

let cardea: Cardea;
beforeAll(async () => {
  cardea = await startCardea({ bootstrap });
});
afterAll(() => cardea?.stop());

const refusal = (error: string, status = 400) => ({ error, status });

describe('authorization code', () => {
  it('gives an ID token of the person, and userinfo with the claims of the scopes', async () => {
    const config = await discover(cardea, clients.web);
    const { tokens, claims, callback } = await signInWith(config, { parameters: { scope: 'openid profile email' } });
    expect(callback.searchParams.get('iss')).toBe(cardea.issuer);
    expect(claims).toMatchObject({ iss: cardea.issuer, aud: 'web', sub: expect.stringMatching(/^[\da-f-]{36}$/) });
    expect(decodeProtectedHeader(tokens.id_token!)).toMatchObject({ alg: 'ES256' });
    expect(tokens.token_type).toBe('bearer');
    const info = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub);
    expect(info).toMatchObject({ sub: claims.sub, name: ADA.name, email: ADA.email, email_verified: true });
  });

  it('works for a public client, which must use PKCE', async () => {
    const config = await discover(cardea, clients.spa);
    const { claims } = await signInWith(config);
    expect(claims.aud).toBe('spa');
    const bare = oidc.buildAuthorizationUrl(config, { redirect_uri: CALLBACK, scope: 'openid', state: 'x' });
    const callback = await authorize(bare);
    expect(callback.searchParams.get('error')).toBe('invalid_request');
  });

  it('refuses a code with a wrong verifier, and a code that was used ends what it gave', async () => {
    const config = await discover(cardea, clients.web);
    const { tokens, callback, codeVerifier } = await signInWith(config, { parameters: { scope: 'openid email' } });
    const again = oidc.authorizationCodeGrant(config, callback, {
      pkceCodeVerifier: codeVerifier,
      expectedState: oidc.skipStateCheck,
    });
    await expect(again).rejects.toMatchObject(refusal('invalid_grant'));
    await expect(oidc.fetchUserInfo(config, tokens.access_token, oidc.skipSubjectCheck)).rejects.toThrow();
    await expect(oidc.refreshTokenGrant(config, tokens.refresh_token!)).rejects.toMatchObject(refusal('invalid_grant'));

    const url = oidc.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK,
      scope: 'openid',
      code_challenge: await oidc.calculatePKCECodeChallenge('a'.repeat(43)),
      code_challenge_method: 'S256',
    });
    const wrong = oidc.authorizationCodeGrant(config, await authorize(url), { pkceCodeVerifier: 'b'.repeat(43) });
    await expect(wrong).rejects.toMatchObject(refusal('invalid_grant'));
  });

  it('keeps a code to its client', async () => {
    const web = await discover(cardea, clients.web);
    const other = await discover(cardea, clients.signed);
    const verifier = oidc.randomPKCECodeVerifier();
    const url = oidc.buildAuthorizationUrl(web, {
      redirect_uri: CALLBACK,
      scope: 'openid',
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    const stolen = oidc.authorizationCodeGrant(other, await authorize(url), { pkceCodeVerifier: verifier });
    await expect(stolen).rejects.toMatchObject(refusal('invalid_grant'));
  });

  it('gives claims that are asked for one by one', async () => {
    const config = await discover(cardea, clients.web);
    const { claims } = await signInWith(config, {
      parameters: { claims: JSON.stringify({ id_token: { email: null, auth_time: { essential: true }, acr: null } }) },
    });
    expect(claims).toMatchObject({ email: ADA.email, auth_time: expect.any(Number), acr: expect.any(String) });
  });
});

describe('refresh', () => {
  it('rotates, and a reuse after the window ends the grant', async () => {
    const config = await discover(cardea, clients.web);
    const { tokens } = await signInWith(config, { parameters: { scope: 'openid offline_access' } });
    const first = tokens.refresh_token!;
    const second = (await oidc.refreshTokenGrant(config, first)).refresh_token!;
    expect(second).not.toBe(first);
    const retried = await oidc.refreshTokenGrant(config, first);
    expect(retried.refresh_token).toBe(second);

    const third = (await oidc.refreshTokenGrant(config, second)).refresh_token!;
    await ageReplays();
    await expect(oidc.refreshTokenGrant(config, first)).rejects.toMatchObject(refusal('invalid_grant'));
    await expect(oidc.refreshTokenGrant(config, third)).rejects.toMatchObject(refusal('invalid_grant'));
  });

  it('keeps a refresh token to its client', async () => {
    const web = await discover(cardea, clients.web);
    const { tokens } = await signInWith(web);
    const other = await discover(cardea, clients.signed);
    await expect(oidc.refreshTokenGrant(other, tokens.refresh_token!)).rejects.toMatchObject(refusal('invalid_grant'));
  });

  it('narrows the scope when asked and never widens it', async () => {
    const config = await discover(cardea, clients.web);
    const { tokens } = await signInWith(config, { parameters: { scope: 'openid email' } });
    const narrow = await oidc.refreshTokenGrant(config, tokens.refresh_token!, { scope: 'openid' });
    expect(narrow.scope).toBe('openid');
    const wide = oidc.refreshTokenGrant(config, narrow.refresh_token!, { scope: 'openid phone' });
    await expect(wide).rejects.toMatchObject(refusal('invalid_scope'));
  });
});

describe('formats', () => {
  it('signs userinfo and ID tokens as the client registered', async () => {
    const config = await discover(cardea, clients.signed);
    const verifier = oidc.randomPKCECodeVerifier();
    const url = oidc.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK,
      scope: 'openid email',
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    const code = (await authorize(url)).searchParams.get('code')!;
    const body = new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri: CALLBACK,
      code_verifier: verifier,
    });
    const answer = await fetch(config.serverMetadata().token_endpoint!, {
      method: 'POST',
      body,
      headers: basic(clients.signed),
    });
    const tokens = (await answer.json()) as { id_token: string; access_token: string };
    const jwks = createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri!));
    const idToken = await jwtVerify(tokens.id_token, jwks, { issuer: cardea.issuer, audience: 'signed' });
    expect(idToken.protectedHeader.alg).toBe('RS256');
    const info = await fetch(config.serverMetadata().userinfo_endpoint!, {
      headers: { authorization: `Bearer ${tokens.access_token}` },
    });
    expect(info.headers.get('content-type')).toContain('application/jwt');
    const signed = await jwtVerify(await info.text(), jwks, { issuer: cardea.issuer, audience: 'signed' });
    expect(signed.payload).toMatchObject({ email: ADA.email });
  });

  it('a pairwise client knows a person by a name of its own', async () => {
    const names = [];
    for (const client of [clients.web, clients.pairwise, clients.pairwise2]) {
      const parameters = { redirect_uri: client.redirect_uris[0]! };
      const { claims, tokens } = await signInWith(await discover(cardea, client), { parameters });
      const info = await oidc.fetchUserInfo(await discover(cardea, client), tokens.access_token, claims.sub);
      expect(info.sub).toBe(claims.sub);
      names.push(claims.sub);
    }
    expect(new Set(names).size).toBe(3);
    const { claims } = await signInWith(await discover(cardea, clients.pairwise));
    expect(claims.sub).toBe(names[1]);
  });
});

describe('where a sign-in begins', () => {
  it('is the page that asks who it is, where that is all there is to ask; else the flow decides', async () => {
    const config = await discover(cardea, clients.web);
    const person = createPerson();
    await signInWith(config, { person });
    const cookie = person.cookies
      .all()
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
    const sentTo = async (parameters: Record<string, string>, headers = {}) => {
      const challenge = { code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' };
      const common = { redirect_uri: CALLBACK, scope: 'openid', ...challenge };
      const url = oidc.buildAuthorizationUrl(config, { ...common, ...parameters });
      const answer = await fetch(url, { redirect: 'manual', headers });
      const [, uid] = /^signin=([^;]+).*/.exec(answer.headers.getSetCookie().join('\n')) ?? [];
      const { pathname } = new URL(answer.headers.get('location')!, cardea.issuer);
      // The cookie is for all steps, wherever the browser is sent.
      expect(answer.headers.getSetCookie().find((line) => line.startsWith('signin='))).toContain(
        `path=/signin/${uid};`,
      );
      return pathname.replace(uid!, ':uid');
    };
    expect(await sentTo({})).toBe('/signin/:uid/identifier');
    expect(await sentTo({ login_hint: ADA.email, ui_locales: 'de' })).toBe('/signin/:uid/identifier');
    expect(await sentTo({ prompt: 'create' })).toBe('/signin/:uid');
    expect(await sentTo({ idp_hint: 'somebody' })).toBe('/signin/:uid');
    expect(await sentTo({ prompt: 'login' }, { cookie })).toBe('/signin/:uid');
    expect(await sentTo({ prompt: 'select_account' }, { cookie })).toBe('/signin/:uid');
  });
});

describe('one session, several applications', () => {
  it('signs in to a second application without a question, and two people do not mix', async () => {
    const person = createPerson();
    const first = await signInWith(await discover(cardea, clients.web), { person });
    const second = await signInWith(await discover(cardea, clients.spa), { person, password: 'not asked for' });
    expect(second.claims.sub).toBe(first.claims.sub);
    const grace = await signInWith(await discover(cardea, clients.web), { email: GRACE.email });
    expect(grace.claims.sub).not.toBe(first.claims.sub);
  });

  it('prompt=login with an ID token of somebody else does not sign the wrong person in', async () => {
    const config = await discover(cardea, clients.web);
    const person = createPerson();
    const { tokens } = await signInWith(config, { person, email: GRACE.email });
    const other = createPerson();
    await signInWith(config, { person: other });
    const url = oidc.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK,
      scope: 'openid',
      prompt: 'none',
      id_token_hint: tokens.id_token!,
      code_challenge: 'x'.repeat(43),
      code_challenge_method: 'S256',
    });
    expect((await authorize(url, { person: other })).searchParams.get('error')).toBe('login_required');
  });
});

const basic = ({ client_id, client_secret }: { client_id: string; client_secret?: string }) => ({
  authorization: `Basic ${btoa(`${encodeURIComponent(client_id)}:${encodeURIComponent(client_secret!)}`)}`,
});

/** The retry window is over. */
async function ageReplays(): Promise<void> {
  await cardea.sql(`update refresh_token set consumed_at = consumed_at - interval '1 minute'`);
}
