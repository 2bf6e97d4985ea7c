import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cardea, startCardea } from '../support/cardea.ts';
import { ADA, bootstrap, clients, ORDERS } from '../support/seeds.ts';
import { dpopKey, times, tokenClient } from '../support/token-client.ts';

// Who is let into our own APIs: by an access token for them, alive at this moment, held by whom it was given to.

const ADMIN = { email: 'admin@example.com', password: 'seven quiet otters read maps' };
const service = (id: string, more: object = {}) => ({ ...clients.service, client_id: id, ...more });
const all = 'account.read account.write users.read users.write scim.read scim.write';

const reader = service('reader', { scope: 'scim.read' });
const boundReader = service('bound-reader', { scope: 'scim.read', dpop_bound_access_tokens: true });
const console_ = { ...clients.web, client_id: 'console', scope: `openid offline_access ${all}` };
const nobody = service('nobody');
const gone = service('gone', { scope: 'scim.read' });

let cardea: Cardea;
let api: string;
beforeAll(async () => {
  cardea = await startCardea({
    bootstrap: {
      ...bootstrap,
      clients: [...bootstrap.clients, reader, boundReader, console_, nobody, gone],
      administrators: [ADMIN],
    },
    settings: { mfa: { administrators: 'offered' } },
  });
  api = `${cardea.issuer}/api`;
});
afterAll(async () => {
  const logs = cardea.logs();
  await cardea.stop();
  expect(logs).not.toMatch(/"level":"(error|fatal)"/);
});

const url = () => `${cardea.issuer}/scim/v2/ResourceTypes`;
const call = async (authorization?: string, headers: Record<string, string> = {}) => {
  const response = await fetch(url(), { headers: { ...(authorization && { authorization }), ...headers } });
  const body = (await response.json()) as Record<string, unknown>;
  return { status: response.status, challenge: response.headers.get('www-authenticate') ?? '', body };
};
const given = async (client: typeof reader, fields: Record<string, string> = {}) =>
  String((await tokenClient(cardea.issuer, client).credentials(fields)).body.access_token);
const signedIn = async (email: string, scope: string) =>
  tokenClient(cardea.issuer, console_).signIn({
    email,
    parameters: { scope: `openid ${scope}`, resource: api },
    tokenParameters: { resource: api },
  });

describe('a service', () => {
  it('that cannot send a resource is given a token for our own APIs, by the scopes it asks for or is named for', async () => {
    for (const fields of [
      {},
      { scope: 'scim.read' },
      { scope: 'scim.read scim.write' },
      { resource: api, scope: 'scim.read' },
    ]) {
      const token = await given(reader, fields as Record<string, string>);
      expect(decodeJwt(token)).toMatchObject({ aud: api, scope: 'scim.read', client_id: 'reader' });
      expect((await call(`Bearer ${token}`)).status).toBe(200);
    }
  });

  it('whose metadata names no scope of ours is given none, whatever it asks for', async () => {
    const client = tokenClient(cardea.issuer, nobody);
    expect(await client.credentials({ scope: 'scim.read' })).toMatchObject({ status: 400, error: 'invalid_scope' });
    expect(await client.credentials({ scope: 'scim.read', resource: api })).toMatchObject({ error: 'invalid_target' });
    const plain = await client.credentials();
    expect(plain.status).toBe(200);
    expect((await call(`Bearer ${plain.body.access_token}`)).status).toBe(401);
  });

  it('is told when its scope does not reach', async () => {
    const client = tokenClient(cardea.issuer, reader);
    expect(await client.credentials({ scope: 'users.read' })).toMatchObject({ error: 'invalid_scope' });
    const person = await signedIn(ADMIN.email, 'account.read');
    const answer = await call(`Bearer ${person.access_token}`);
    expect(answer.status).toBe(403);
    expect(answer.challenge).toMatch(/^Bearer .*error="insufficient_scope".*scope="scim.read"/);
  });

  it('that is removed, or whose token is revoked, is out at once', async () => {
    const token = await given(gone);
    const revoked = await given(reader);
    expect((await call(`Bearer ${token}`)).status).toBe(200);
    await tokenClient(cardea.issuer, reader).revoke(revoked);
    expect((await call(`Bearer ${revoked}`)).challenge).toContain('invalid_token');
    await cardea.sql(`delete from client where client_id = 'gone'`);
    await cardea.sql(`select pg_notify('cardea', 'client gone')`);
    await expect.poll(async () => (await call(`Bearer ${token}`)).status).toBe(401);
  });
});

describe('a person', () => {
  it('reaches others’ accounts only as an administrator, whatever the token says', async () => {
    const admin = await signedIn(ADMIN.email, 'scim.read');
    const ada = await signedIn(ADA.email, 'scim.read');
    expect(decodeJwt(ada.access_token).scope).toBe('scim.read');
    expect((await call(`Bearer ${ada.access_token}`)).status).toBe(403);
    expect((await call(`Bearer ${admin.access_token}`)).status).toBe(200);
    await cardea.sql(`update user_account set administrator = false where email_key = $1`, [ADMIN.email]);
    expect((await call(`Bearer ${admin.access_token}`)).status).toBe(403);
    await cardea.sql(`update user_account set administrator = true where email_key = $1`, [ADMIN.email]);
  });

  it('who is stopped, or whose grant has ended, is out at once', async () => {
    const admin = await signedIn(ADMIN.email, 'scim.read');
    await cardea.sql(`update user_account set state = 'Suspended' where email_key = $1`, [ADMIN.email]);
    expect((await call(`Bearer ${admin.access_token}`)).status).toBe(401);
    await cardea.sql(`update user_account set state = 'Active' where email_key = $1`, [ADMIN.email]);
    expect((await call(`Bearer ${admin.access_token}`)).status).toBe(200);
    await tokenClient(cardea.issuer, console_).revoke(admin.refresh_token);
    expect((await call(`Bearer ${admin.access_token}`)).status).toBe(401);
  });
});

describe('a token', () => {
  it('for another audience, for none, or of nobody opens nothing', async () => {
    const orders = await given(clients.service, { resource: ORDERS, scope: 'orders:read' });
    const userinfo = await tokenClient(cardea.issuer, clients.web).signIn();
    const good = await given(reader);
    const forged = `${good.slice(0, -4)}${good.endsWith('AAAA') ? 'BBBB' : 'AAAA'}`;
    for (const token of [orders, userinfo.access_token, userinfo.id_token, forged, 'x', 'a.b.c', 'x'.repeat(5000)]) {
      const answer = await call(`Bearer ${token}`);
      expect(answer.status).toBe(401);
      expect(answer.challenge).toMatch(/^Bearer realm="[^"]+", error="invalid_token"$/);
      expect(answer.body).toMatchObject({ status: '401', schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'] });
    }
  });

  it('is asked for without an error when there is none, and not taken from the query', async () => {
    expect((await call()).challenge).toMatch(/^Bearer realm="[^"]+", DPoP realm="[^"]+", algs="ES256/);
    const response = await fetch(`${url()}?access_token=${await given(reader)}`);
    expect(response.status).toBe(401);
    expect((await call('Basic eDp5')).status).toBe(400);
  });
});

describe('a token bound to a key (RFC 9449)', () => {
  const bound = async () => {
    const key = await dpopKey();
    const headers = { dpop: await key.proof('POST', `${cardea.issuer}/token`) };
    const answer = await tokenClient(cardea.issuer, boundReader).token({ grant_type: 'client_credentials' }, headers);
    const token = String(answer.body.access_token);
    const { createHash } = await import('node:crypto');
    const ath = createHash('sha256').update(token).digest('base64url');
    return { key, token, ath };
  };

  it('opens with a proof of this request and this token', async () => {
    const { key, token, ath } = await bound();
    expect((await call(`DPoP ${token}`, { dpop: await key.proof('GET', url(), { ath }) })).status).toBe(200);
  });

  it('is worth nothing as a bearer token, nor with the proof of another key, request, token or time', async () => {
    const { key, token, ath } = await bound();
    const other = await dpopKey();
    const proofs = {
      none: undefined,
      'another key': await other.proof('GET', url(), { ath }),
      'another method': await key.proof('POST', url(), { ath }),
      'another address': await key.proof('GET', `${cardea.issuer}/scim/v2/Users`, { ath }),
      'another token': await key.proof('GET', url(), { ath: 'x' }),
      'no token': await key.proof('GET', url()),
      'no proof': 'a.b.c',
    };
    for (const [name, dpop] of Object.entries(proofs)) {
      const answer = await call(`DPoP ${token}`, dpop === undefined ? {} : { dpop });
      expect([name, answer.status]).toEqual([name, 401]);
    }
    const answer = await call(`Bearer ${token}`, { dpop: await key.proof('GET', url(), { ath }) });
    expect(answer).toMatchObject({ status: 401 });
    const unbound = await given(reader);
    expect((await call(`DPoP ${unbound}`, { dpop: await key.proof('GET', url(), { ath }) })).status).toBe(401);
  });

  it('takes each proof once, of 16 at the same time', async () => {
    const { key, token, ath } = await bound();
    const dpop = await key.proof('GET', url(), { ath });
    const answers = await times(16, () => call(`DPoP ${token}`, { dpop }));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });
});
