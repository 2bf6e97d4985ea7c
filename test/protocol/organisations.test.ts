import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cardea, startCardea } from '../support/cardea.ts';
import { PASSWORD } from '../support/flows.ts';
import { ADA, authorize, bootstrap, clients, createPerson, GRACE, ORDERS, STOCK } from '../support/seeds.ts';
import { tokenClient } from '../support/token-client.ts';

const EVE = { email: 'eve@example.com', name: 'Eve', password: PASSWORD };
const MANY = { email: 'many@example.com', name: 'Many', password: PASSWORD };
const STRICT = { email: 'ann@strict.example', name: 'Ann', password: PASSWORD };
const KEYED = { email: 'kit@keyed.example', name: 'Kit', password: PASSWORD };

let cardea: Cardea;
beforeAll(async () => {
  cardea = await startCardea({
    settings: { directory: { most_groups: 5 } },
    bootstrap: {
      ...bootstrap,
      fields: [
        {
          name: 'cost_centre',
          label: { en: 'Cost centre', de: 'Kostenstelle' },
          type: 'string',
          claim: { name: 'https://acme.example/cost_centre', scope: 'work' },
        },
      ],
      users: [...bootstrap.users, EVE, MANY, STRICT, KEYED].map((user) =>
        user.email === ADA.email ? { ...user, attributes: { cost_centre: 'R-12' } } : user,
      ),
      permissions: ['orders:refund', 'orders:read', { name: 'site:edit', description: 'Change pages' }],
      roles: [
        { name: 'editor', permissions: ['site:edit'], groups: ['outer'] },
        { name: 'refunder', scope: 'organisation', permissions: ['orders:refund'] },
        { name: 'reader', scope: 'organisation', permissions: ['orders:read'] },
      ],
      groups: [
        { name: 'inner', users: [ADA.email] },
        { name: 'outer', groups: ['inner'] },
        ...Array.from({ length: 6 }, (_, n) => ({ name: `g${n}`, users: [MANY.email] })),
      ],
      organisations: [
        {
          name: 'acme',
          display_name: 'Acme',
          members: [
            { email: ADA.email, roles: ['refunder'] },
            { email: GRACE.email, roles: ['reader'] },
          ],
        },
        { name: 'globex', display_name: 'Globex', members: [{ email: ADA.email, roles: ['reader'] }] },
        { name: 'strict', policy: { mfa: true }, domains: [{ domain: 'strict.example', proved: true }] },
        { name: 'keyed', policy: { methods: ['passkey'] }, domains: [{ domain: 'keyed.example', proved: true }] },
      ],
    },
  });
});
afterAll(() => cardea?.stop());

const web = () => tokenClient(cardea.issuer, clients.web);
const orders = () => tokenClient(cardea.issuer, clients.orders);
const userinfo = async (token: string) => (await web().userinfo(token)).body;
const idOf = async (name: string) =>
  (await cardea.sql<{ id: string }>('select id from organisation where name = $1', [name]))[0]!.id;
const accountOf = async (email: string) =>
  (await cardea.sql<{ id: string }>('select id from user_account where email = $1', [email]))[0]!.id;

/** What the application is called back with. */
const asked = (parameters: Record<string, string>, person = createPerson(), email = ADA.email) =>
  authorize(web().authorizeUrl(parameters), { person, email });

describe('claims of what is known of people', () => {
  it('a custom field is told by its claim and scope, and discovery knows both', async () => {
    const { access_token } = await web().signIn({ parameters: { scope: 'openid work' } });
    expect(await userinfo(access_token)).toMatchObject({ 'https://acme.example/cost_centre': 'R-12' });
    const without = await web().signIn({ parameters: { scope: 'openid profile' } });
    expect(await userinfo(without.access_token)).not.toHaveProperty('https://acme.example/cost_centre');
    const discovery = await (await fetch(`${cardea.issuer}/.well-known/openid-configuration`)).json();
    expect(discovery.scopes_supported).toEqual(
      expect.arrayContaining(['work', 'groups', 'roles', 'permissions', 'organization']),
    );
    expect(discovery.claims_supported).toEqual(
      expect.arrayContaining(['https://acme.example/cost_centre', 'groups', 'roles', 'org_id']),
    );
  });

  it('groups, roles and permissions come by their scopes, through groups in groups', async () => {
    const { access_token } = await web().signIn({ parameters: { scope: 'openid groups roles permissions' } });
    expect(await userinfo(access_token)).toMatchObject({
      groups: ['inner', 'outer'],
      roles: ['editor'],
      permissions: ['site:edit'],
    });
    const none = await web().signIn({ parameters: { scope: 'openid profile' } });
    const said = await userinfo(none.access_token);
    for (const claim of ['groups', 'roles', 'permissions', 'org_id']) expect(said).not.toHaveProperty(claim);
  });

  it('too many groups are left out, and the claims say where to ask', async () => {
    const { access_token } = await web().signIn({ email: MANY.email, parameters: { scope: 'openid groups' } });
    const said = await userinfo(access_token);
    expect(said).not.toHaveProperty('groups');
    expect(said).toMatchObject({
      hasgroups: true,
      _claim_names: { groups: 'groups' },
      _claim_sources: { groups: { endpoint: `${cardea.issuer}/api/users/me/groups` } },
    });
  });

  it.each([
    ['a JWT', ORDERS],
    ['an opaque token', STOCK],
  ])('an API is told by %s and its introspection, as of now', async (_, resource) => {
    const scope = `openid roles permissions ${resource === ORDERS ? 'orders:read' : 'stock:read'}`;
    const { access_token } = await web().signIn({ parameters: { scope, resource } });
    if (resource === ORDERS)
      expect(decodeJwt(access_token)).toMatchObject({ roles: ['editor'], permissions: ['site:edit'] });
    expect(await orders().introspect(access_token)).toMatchObject({ active: true, roles: ['editor'] });
    const [assignment] = await cardea.sql<{ role_id: string; subject_id: string }>(
      `delete from role_assignment returning role_id, subject_id`,
    );
    expect(await orders().introspect(access_token)).toMatchObject({ active: true, roles: [], permissions: [] });
    await cardea.sql(
      `insert into role_assignment (role_id, subject_id, subject_kind, assigned_at) values ($1, $2, 'group', now())`,
      [assignment!.role_id, assignment!.subject_id],
    );
  });
});

describe('an application asks for an organisation', () => {
  it('by name or id, and every token is for that one only', async () => {
    const acme = await idOf('acme');
    for (const organization of ['acme', acme]) {
      const parameters = { scope: 'openid organization permissions', organization };
      const tokens = await web().signIn({ parameters });
      const expected = { org_id: acme, org_name: 'acme', org_roles: ['refunder'] };
      expect(decodeJwt(tokens.id_token)).toMatchObject(expected);
      const said = await userinfo(tokens.access_token);
      expect(said).toMatchObject({ ...expected, org_permissions: ['orders:refund'] });
      expect(JSON.stringify(said)).not.toContain('globex');
    }
    const other = await web().signIn({ parameters: { scope: 'openid organization', organization: 'globex' } });
    expect(decodeJwt(other.id_token)).toMatchObject({ org_name: 'globex', org_roles: ['reader'] });
  });

  it('without the scope it learns which one, and no roles', async () => {
    const tokens = await web().signIn({ parameters: { organization: 'acme' } });
    expect(decodeJwt(tokens.id_token)).toMatchObject({ org_name: 'acme' });
    expect(decodeJwt(tokens.id_token)).not.toHaveProperty('org_roles');
    const none = await web().signIn();
    expect(decodeJwt(none.id_token)).not.toHaveProperty('org_id');
  });

  it('an access token of an API carries it', async () => {
    for (const resource of [ORDERS, STOCK]) {
      const scope = `openid organization ${resource === ORDERS ? 'orders:read' : 'stock:read'}`;
      const { access_token } = await web().signIn({ parameters: { scope, resource, organization: 'acme' } });
      if (resource === ORDERS)
        expect(decodeJwt(access_token)).toMatchObject({ org_name: 'acme', org_roles: ['refunder'] });
      expect(await orders().introspect(access_token)).toMatchObject({
        active: true,
        org_name: 'acme',
        org_roles: ['refunder'],
      });
    }
  });

  it('of which the person is no member: access_denied, the same as for one that does not exist', async () => {
    const refused = [];
    for (const organization of ['globex', 'no-such-one', '00000000-0000-7000-8000-000000000000']) {
      const back = await asked({ organization }, createPerson(), GRACE.email);
      back.searchParams.delete('state');
      refused.push(back.search);
    }
    expect(refused[0]).toContain('error=access_denied');
    expect(new Set(refused).size).toBe(1);
    const malformed = await asked({ organization: "x' or '1'='1" });
    expect(malformed.searchParams.get('error')).toBe('invalid_request');
  });

  it('a forged request for the claim org_id is a request for that organisation', async () => {
    const globex = await idOf('globex');
    const claims = (value: unknown) =>
      JSON.stringify({ id_token: { org_id: { value } }, userinfo: { org_roles: null } });
    const back = await asked({ claims: claims(globex) }, createPerson(), GRACE.email);
    expect(back.searchParams.get('error')).toBe('access_denied');
    const both = await web().signIn({
      parameters: { organization: 'acme', claims: claims(globex), scope: 'openid organization' },
    });
    expect(decodeJwt(both.id_token)).toMatchObject({ org_name: 'acme' });
    const odd = await asked({ claims: JSON.stringify({ id_token: { org_id: { value: { a: 1 } } } }) });
    expect(odd.searchParams.get('error')).toBe('access_denied');
  });

  it('by the scope alone: the only one is taken, of several the person chooses, and the choice is remembered', async () => {
    const one = await web().signIn({ email: GRACE.email, parameters: { scope: 'openid organization' } });
    expect(decodeJwt(one.id_token)).toMatchObject({ org_name: 'acme' });
    const nobody = await web().signIn({ email: EVE.email, parameters: { scope: 'openid organization' } });
    expect(decodeJwt(nobody.id_token)).not.toHaveProperty('org_id');

    const person = createPerson();
    await web().signIn({ person });
    const url = web().authorizeUrl({ scope: 'openid organization' });
    const silent = web().authorizeUrl({ scope: 'openid organization', prompt: 'none' });
    expect((await person.open(silent)).url.searchParams.get('error')).toBe('interaction_required');
    const page = await person.open(url);
    expect(page.text).toContain('Globex');
    const forged = await person.submit(page, {}, { extra: { organization: await idOf('strict') } });
    expect(forged.status).toBe(200);
    const chosen = await person.submit(page, {}, { extra: { organization: await idOf('globex') } });
    const answer = await web().redeem(chosen.url.searchParams.get('code')!);
    expect(decodeJwt(answer.body.id_token as string)).toMatchObject({ org_name: 'globex' });
    const again = await person.open(silent);
    const renewed = await web().redeem(again.url.searchParams.get('code')!);
    expect(decodeJwt(renewed.body.id_token as string)).toMatchObject({ org_name: 'globex' });
  });

  it('two tabs of one session may be in two organisations', async () => {
    const person = createPerson();
    const scope = 'openid organization';
    const first = await web().signIn({ person, parameters: { scope, organization: 'acme' } });
    const second = await web().signIn({ person, parameters: { scope, organization: 'globex' } });
    expect(await userinfo(first.access_token)).toMatchObject({ org_name: 'acme' });
    expect(await userinfo(second.access_token)).toMatchObject({ org_name: 'globex' });
    const renewed = await web().refresh(first.refresh_token);
    expect(decodeJwt(renewed.body.id_token as string)).toMatchObject({ org_name: 'acme' });
  });

  it('a role that is taken there is in no next token, and in no next answer', async () => {
    const parameters = { scope: 'openid organization permissions offline_access', organization: 'acme' };
    const first = await web().signIn({ parameters });
    expect(decodeJwt(first.id_token)).toMatchObject({ org_roles: ['refunder'] });
    const [had] = await cardea.sql<Record<string, string>>(
      `delete from organisation_member_role where account_id = $1 and organisation_id = $2 returning *`,
      [await accountOf(ADA.email), await idOf('acme')],
    );
    expect(await userinfo(first.access_token)).toMatchObject({ org_roles: [], org_permissions: [] });
    const next = await web().refresh(first.refresh_token);
    expect(decodeJwt(String(next.body.id_token))).toMatchObject({ org_id: await idOf('acme'), org_roles: [] });
    await cardea.sql(
      'insert into organisation_member_role (organisation_id, account_id, role_id) values ($1, $2, $3)',
      [had!.organisation_id, had!.account_id, had!.role_id],
    );
  });

  it('whoever leaves holds nothing for it any more, whatever the format', async () => {
    const scope = 'openid organization';
    const own = await web().signIn({ email: GRACE.email, parameters: { scope, organization: 'acme' } });
    const tokens = [];
    for (const resource of [ORDERS, STOCK]) {
      const more = { scope: `${scope} orders:read stock:read`, resource, organization: 'acme' };
      tokens.push((await web().signIn({ email: GRACE.email, parameters: more })).access_token);
    }
    const elsewhere = await web().signIn({ email: GRACE.email });
    const ids = [await idOf('acme'), await accountOf(GRACE.email)];
    await cardea.sql('delete from organisation_member where organisation_id = $1 and account_id = $2', ids);
    for (const token of tokens) expect(await orders().introspect(token)).toEqual({ active: false });
    expect(await web().introspect(own.access_token)).toEqual({ active: false });
    expect((await web().userinfo(own.access_token)).status).toBe(401);
    expect((await web().refresh(own.refresh_token)).error).toBe('invalid_grant');
    expect((await web().refresh(elsewhere.refresh_token)).status).toBe(200);
    await cardea.sql('insert into organisation_member values ($1, $2, now())', ids);
  });
});

describe('an organisation’s rules for signing in', () => {
  it('two factors are asked of addresses of its domain, whatever the application', async () => {
    const person = createPerson();
    let page = await person.open(web().authorizeUrl());
    page = await person.submit(page, { identifier: STRICT.email });
    page = await person.submit(page, { password: PASSWORD });
    expect(page.url.pathname).toMatch(/\/totp-setup$/);
  });

  it('a session that is not sure enough is none for an organisation with two factors', async () => {
    const ids = [await idOf('strict'), await accountOf(ADA.email)];
    await cardea.sql('insert into organisation_member values ($1, $2, now())', ids);
    const person = createPerson();
    await web().signIn({ person });
    const silent = await person.open(web().authorizeUrl({ organization: 'strict', prompt: 'none' }));
    expect(silent.url.searchParams.get('error')).toBe('unmet_authentication_requirements');
    const page = await person.open(web().authorizeUrl({ organization: 'strict' }));
    expect(page.url.pathname).toMatch(/\/totp-setup$/);
    await cardea.sql('delete from organisation_member where organisation_id = $1 and account_id = $2', ids);
  });

  it('a password is not asked for where only passkeys are allowed, and proves nothing there', async () => {
    const person = createPerson();
    let page = await person.open(web().authorizeUrl());
    page = await person.submit(page, { identifier: KEYED.email });
    expect(page.url.pathname).toMatch(/\/ways$/);
    expect(page.text).toContain('passkey');
    const unknown = await person.open(web().authorizeUrl());
    const other = await person.submit(unknown, { identifier: 'nobody@keyed.example' });
    expect(other.url.pathname).toMatch(/\/ways$/);
  });
});
