import * as oidc from 'openid-client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Cardea, startCardea } from '../support/cardea.ts';
import { discover, signInWith } from '../support/oidc.ts';
import { ADA, bootstrap, clients, createPerson } from '../support/seeds.ts';
import { tokenClient } from '../support/token-client.ts';

let cardea: Cardea;
beforeAll(async () => {
  cardea = await startCardea({ bootstrap });
});
afterAll(() => cardea?.stop());

it('trap 2: tabs of one application, opened at once on a session that does not know it, all stay signed in', async () => {
  const person = createPerson();
  await signInWith(await discover(cardea, clients.web), { person });
  const config = await discover(cardea, clients.signed);
  const scopes = ['openid', 'openid email', 'openid profile', 'openid email profile'];
  const tabs = await Promise.all(
    [...scopes, ...scopes].map((scope) => signInWith(config, { person, parameters: { scope } })),
  );
  const sorted = (scope?: string) => scope?.split(' ').sort();
  expect(tabs.map(({ tokens }) => sorted(tokens.scope))).toEqual([...scopes, ...scopes].map(sorted));
  expect(new Set(tabs.map(({ claims }) => claims.sid)).size).toBe(1);
  for (const { tokens, claims } of tabs) {
    const info = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub);
    expect(Boolean(info.email)).toBe(tokens.scope!.includes('email'));
    expect(Boolean(info.name)).toBe(tokens.scope!.includes('profile'));
    await oidc.refreshTokenGrant(config, tokens.refresh_token!);
  }
  const sessions = await cardea.sql(`select 1 from session where ended_at is null`);
  const grants = await cardea.sql(`select 1 from authorization_grant where client_id = 'signed' and ended_at is null`);
  expect([sessions.length, grants.length]).toEqual([1, 1]);
});

it('a second click on the button that signs in, after the first was answered, leads where the first one led', async () => {
  const person = createPerson();
  const asked = await person.open(tokenClient(cardea.issuer, clients.web).authorizeUrl());
  const page = await person.submit(asked, { identifier: ADA.email });
  const form = page.forms.find(({ fields }) => fields.some(({ name }) => name === 'password'))!;
  const click = async () => {
    const typed = form.fields.map(({ name, value }): [string, string] => [
      name,
      name === 'password' ? ADA.password : value,
    ]);
    const body = new URLSearchParams(typed);
    const { headers } = await person.request(
      new URL(form.action || page.url, page.url),
      { method: 'POST', body },
      page.url,
    );
    return headers.get('location')!;
  };
  const first = await click();
  expect(await click()).toBe(first);
  const back = await person.open(new URL(first, cardea.issuer));
  expect(back.url.searchParams.get('code')).toBeTruthy();
});
