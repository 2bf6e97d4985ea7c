import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cardea, startCardea } from '../support/cardea.ts';
import { PASSWORD } from '../support/flows.ts';
import { CARDEA, ENTERPRISE, provisioner, type ScimClient, scimClient, scimWith, USER } from '../support/scim.ts';
import { bootstrap, clients } from '../support/seeds.ts';
import { times, tokenClient } from '../support/token-client.ts';

// People over SCIM, as a directory makes, reads, changes and removes them.

const ADMIN = { email: 'admin@example.com', password: PASSWORD };
const directory = provisioner('directory');
const cautious = provisioner('cautious', { provisioned_addresses_verified: false });
const west = provisioner('west', { provisioning_domain: 'west' });
const east = provisioner('east', { provisioning_domain: 'east' });
const reader = provisioner('reader', { scope: 'scim.read' });
const broken = provisioner('broken', { provisioning_domain: 7 });
const people = provisioner('people', { scope: 'users.write' });
const console_ = {
  ...clients.web,
  client_id: 'console',
  scope: 'openid offline_access account.read scim.read scim.write',
};

let cardea: Cardea;
let scim: ScimClient;
beforeAll(async () => {
  cardea = await startCardea({
    bootstrap: {
      ...bootstrap,
      clients: [...bootstrap.clients, directory, people, cautious, west, east, reader, broken, console_],
      administrators: [ADMIN],
    },
    settings: { mfa: { administrators: 'offered' } },
  });
  scim = await scimClient(cardea, directory);
});
afterAll(async () => {
  const logs = cardea.logs();
  await cardea.stop();
  expect(logs).not.toMatch(/"level":"(error|fatal)"/);
});

const barbara = {
  schemas: [USER, ENTERPRISE],
  userName: 'bjensen@example.com',
  externalId: '701984',
  name: {
    formatted: 'Ms. Barbara J Jensen, III',
    familyName: 'Jensen',
    givenName: 'Barbara',
    middleName: 'Jane',
    honorificPrefix: 'Ms.',
  },
  displayName: 'Babs Jensen',
  nickName: 'Babs',
  profileUrl: 'https://login.example.com/bjensen',
  emails: [
    { value: 'bjensen@example.com', type: 'work', primary: true },
    { value: 'babs@jensen.org', type: 'home' },
  ],
  addresses: [
    {
      type: 'work',
      streetAddress: '100 Universal City Plaza',
      locality: 'Hollywood',
      region: 'CA',
      postalCode: '91608',
      country: 'US',
      primary: true,
    },
  ],
  phoneNumbers: [{ value: '+1-555-555-5555', type: 'work' }],
  ims: [{ value: 'someaimhandle', type: 'aim' }],
  photos: [{ value: 'https://photos.example.com/profilephoto/F', type: 'photo' }],
  userType: 'Employee',
  title: 'Tour Guide',
  preferredLanguage: 'en-US',
  locale: 'en-US',
  timezone: 'America/Los_Angeles',
  active: true,
  x509Certificates: [{ value: 'MIIDQzCCAqygAwIBAgICEAAwDQYJKoZIhvcNAQEFBQAwTjELMAkGA1UEBhMCVVM=' }],
  [ENTERPRISE]: {
    employeeNumber: '701984',
    costCenter: '4130',
    organization: 'Universal Studios',
    division: 'Theme Park',
    department: 'Tour Operations',
  },
};

describe('a user', () => {
  it('is made, read, found, replaced and removed (RFC 7643, section 8.3)', async () => {
    const made = await scim.post('/Users', barbara);
    expect(made.status).toBe(201);
    const { id } = made.body;
    expect(made.headers.get('location')).toBe(`${scim.base}/Users/${id}`);
    expect(made.headers.get('content-type')).toMatch(/^application\/scim\+json/);
    expect(made.headers.get('etag')).toBe(made.body.meta.version);
    const { schemas: _, phoneNumbers: __, photos: ___, [ENTERPRISE]: enterprise, ...rest } = barbara;
    expect(made.body).toMatchObject(rest);
    expect(made.body[ENTERPRISE]).toEqual(enterprise);
    expect(made.body.phoneNumbers).toEqual([{ value: '+1-555-555-5555', type: 'work', primary: true }]);
    expect(made.body[CARDEA]).toMatchObject({
      ...{ state: 'Active', emailVerified: true, phoneNumberVerified: false, identityStatus: 'none' },
    });
    expect(made.body.meta).toMatchObject({ resourceType: 'User', location: `${scim.base}/Users/${id}` });

    expect((await scim.get(`/Users/${id}`)).body).toEqual(made.body);
    expect(await scim.users('userName eq "BJENSEN@example.com"')).toEqual(['bjensen@example.com']);

    const replaced = await scim.put(`/Users/${id}`, { schemas: [USER], userName: 'bjensen', emails: barbara.emails });
    expect(replaced.status).toBe(200);
    expect(replaced.body).toMatchObject({ id, userName: 'bjensen', active: true, emails: barbara.emails });
    for (const gone of ['displayName', 'title', 'name', 'addresses', 'phoneNumbers', ENTERPRISE])
      expect(replaced.body[gone]).toBeUndefined();

    expect((await scim.remove(`/Users/${id}`)).status).toBe(204);
    expect((await scim.get(`/Users/${id}`)).status).toBe(404);
    expect(await scim.users('userName eq "bjensen"')).toEqual([]);
    // It is kept for administrators to recover, and its name is free again.
    expect(await cardea.sql('select state from user_account where id = $1', [id])).toEqual([{ state: 'Deleted' }]);
    expect((await scim.post('/Users', barbara)).status).toBe(201);
  });

  it('is told as claims what it is by SCIM, and signs in with the password that came by SCIM', async () => {
    const userName = 'claims@example.com';
    const { id } = await scim.user(userName, {
      password: PASSWORD,
      displayName: 'Claire Aims',
      name: { givenName: 'Claire', familyName: 'Aims' },
      emails: [{ value: userName, primary: true }],
      phoneNumbers: [{ value: '+49 30 1234', type: 'work' }],
      timezone: 'Europe/Berlin',
    });
    const web = tokenClient(cardea.issuer, clients.web);
    const tokens = await web.signIn({ email: userName, parameters: { scope: 'openid profile email phone' } });
    expect((await web.userinfo(tokens.access_token)).body).toMatchObject({
      sub: id,
      name: 'Claire Aims',
      given_name: 'Claire',
      zoneinfo: 'Europe/Berlin',
      email: userName,
      email_verified: true,
      phone_number: '+49 30 1234',
    });
    // Stopped at once, whatever is held.
    expect((await scim.patch(`/Users/${id}`, [{ op: 'replace', path: 'active', value: false }])).body.active).toBe(
      false,
    );
    expect((await web.userinfo(tokens.access_token)).status).toBe(401);
    expect((await web.refresh(tokens.refresh_token)).status).toBe(400);
    const back = await scim.patch(`/Users/${id}`, [{ op: 'Replace', value: { active: 'True' } }]);
    expect(back.body).toMatchObject({ active: true, [CARDEA]: { state: 'Active' } });
    await web.signIn({ email: userName });
    for (const { body } of [await scim.get(`/Users/${id}`), await scim.get('/Users?count=500')])
      expect(JSON.stringify(body)).not.toMatch(/"password"|argon2|"key"/);
  });

  it('comes with the states that a directory may ask for, by our extension', async () => {
    const { id } = await scim.user('states');
    const to = async (state: string) =>
      (await scim.patch(`/Users/${id}`, [{ op: 'replace', path: `${CARDEA}:state`, value: state }])).body;
    expect((await to('PasswordResetRequired'))[CARDEA].state).toBe('PasswordResetRequired');
    expect((await to('Active')).scimType).toBe('mutability');
    expect((await to('Deactivated')).active).toBe(false);
    expect((await to('PasswordResetRequired')).active).toBe(true);
    expect((await to('Nonsense')).scimType).toBe('mutability');
    expect((await to('Deleted')).scimType).toBe('mutability');
    const both = await scim.patch(`/Users/${id}`, [
      { op: 'replace', value: { active: true, [CARDEA]: { state: 'Suspended' } } },
    ]);
    expect(both.status).toBe(200);
    const clash = await scim.patch(`/Users/${id}`, [
      { op: 'replace', value: { active: true, [CARDEA]: { state: 'Deactivated' } } },
    ]);
    expect(clash.body.scimType).toBe('invalidValue');
    expect((await scim.get(`/Users/${id}`)).body[CARDEA].state).toBe('Suspended');
    expect((await scim.user('asleep', { active: false })).active).toBe(false);
  });

  it('has addresses that count as proved, unless its client is told not to vouch', async () => {
    const other = await scimClient(cardea, cautious);
    const emails = [{ value: 'unsure@example.com', type: 'work' }];
    const made = await other.user('unsure', { emails });
    expect(made[CARDEA]).toMatchObject({ state: 'Created', emailVerified: false });
    expect(made.emails).toEqual([{ ...emails[0], primary: true }]);
  });

  it('keeps what the person changes themselves, and shows it', async () => {
    const { id } = await scim.user('self', {
      emails: [{ value: 'self@example.com', type: 'work', display: 'Self' }],
      phoneNumbers: [{ value: '1' }, { value: '2' }],
    });
    await cardea.sql(
      `update user_account set email = 'new@example.com', email_key = 'new@example.com', profile = '{"phone_number":"3","birthdate":"1990"}' where id = $1`,
      [id],
    );
    const { body } = await scim.get(`/Users/${id}`);
    expect(body.emails).toEqual([{ value: 'new@example.com', type: 'work', display: 'Self', primary: true }]);
    expect(body.phoneNumbers).toEqual([{ value: '3', primary: true }, { value: '2' }]);
    await scim.patch(`/Users/${id}`, [{ op: 'replace', path: 'title', value: 'x' }]);
    const [row] = await cardea.sql<{ profile: object; email: string }>(
      'select profile, email from user_account where id = $1',
      [id],
    );
    expect(row).toMatchObject({ profile: { phone_number: '3', birthdate: '1990' }, email: 'new@example.com' });
  });
});

describe('what is refused', () => {
  const cases: [string, object | string, number, string | undefined][] = [
    ['no schema', { userName: 'x' }, 400, 'invalidSyntax'],
    ['no JSON', '{', 400, 'invalidSyntax'],
    ['a list', [], 400, 'invalidSyntax'],
    ['null', 'null', 400, 'invalidSyntax'],
    ['no user name', { schemas: [USER] }, 400, 'invalidValue'],
    ['an empty user name', { schemas: [USER], userName: '' }, 400, 'invalidValue'],
    ['a user name with NUL', { schemas: [USER], userName: 'a\u0000b' }, 400, 'invalidValue'],
    [
      'half a surrogate pair',
      '{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"a\\ud800"}',
      400,
      'invalidValue',
    ],
    ['a number for an object', { schemas: [USER], userName: 'x1', name: 5 }, 400, 'invalidValue'],
    [
      'an address that is none',
      { schemas: [USER], userName: 'x2', emails: [{ value: 'nonsense' }] },
      400,
      'invalidValue',
    ],
    [
      'two primary addresses',
      {
        schemas: [USER],
        userName: 'x3',
        emails: [
          { value: 'a@x.org', primary: true },
          { value: 'b@x.org', primary: true },
        ],
      },
      400,
      'invalidValue',
    ],
    ['a value twice', { schemas: [USER], userName: 'x4', ims: [{ value: 'a' }, { value: 'a' }] }, 400, 'invalidValue'],
    [
      'a manager nobody knows',
      { schemas: [USER], userName: 'x5', [ENTERPRISE]: { manager: { value: '01890000-0000-7000-8000-000000000000' } } },
      400,
      'invalidValue',
    ],
    ['a weak password', { schemas: [USER], userName: 'x6', password: 'password' }, 400, 'invalidValue'],
    ['active that is no truth', { schemas: [USER], userName: 'x7', active: 'perhaps' }, 400, 'invalidValue'],
    [
      'a link that is a script',
      { schemas: [USER], userName: 'x8', profileUrl: 'javascript:alert(1)' },
      400,
      'invalidValue',
    ],
    ['an address of another', { schemas: [USER], userName: 'x9', emails: [{ value: ADMIN.email }] }, 409, 'uniqueness'],
    [
      'more values than anybody has',
      { schemas: [USER], userName: 'x10', ims: Array.from({ length: 300 }, (_, at) => ({ value: `${at}` })) },
      400,
      'invalidValue',
    ],
    [
      'what is nested without end',
      `{"schemas":["${USER}"],"userName":"x11","name":${'{"a":'.repeat(2_000)}1${'}'.repeat(2_001)}`,
      400,
      'invalidSyntax',
    ],
  ];
  it.each(cases)('%s', async (_name, body, status, scimType) => {
    const before = await cardea.sql('select count(*) from user_account');
    const answer = await scim.post('/Users', body);
    expect(answer.body).toMatchObject({
      schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'],
      status: String(status),
      scimType,
    });
    expect(answer.status).toBe(status);
    expect(await cardea.sql('select count(*) from user_account')).toEqual(before);
  });

  it('a body of more than ten million bytes, of another kind, or a method that is not there', async () => {
    const large = await scim.post('/Users', `{"x":"${'y'.repeat(10_000_001)}"}`);
    expect(large.status).toBe(413);
    expect(
      (await scim.post('/Users', 'userName=x', { 'content-type': 'application/x-www-form-urlencoded' })).status,
    ).toBe(415);
    expect((await scim.send('PUT', '/Users', {})).status).toBe(405);
    expect((await scim.get('/Nothing')).body).toMatchObject({ status: '404' });
    expect(
      (
        await scim.send(
          'POST',
          '/Users',
          { schemas: [USER], userName: 'plain' },
          { 'content-type': 'application/json' },
        )
      ).status,
    ).toBe(201);
  });

  it('everything to whom may only read, and to whom may nothing', async () => {
    const read = await scimClient(cardea, reader);
    expect((await read.get('/Users')).status).toBe(200);
    const refused = await read.post('/Users', { schemas: [USER], userName: 'never' });
    expect(refused.status).toBe(403);
    expect(refused.headers.get('www-authenticate')).toContain('insufficient_scope');
    expect((await scimWith(cardea, 'nonsense').get('/Users')).status).toBe(401);
    expect((await (await scimClient(cardea, broken)).get('/Users')).status).toBe(403);
  });

  it('an id that is none, in every method', async () => {
    for (const id of [
      'x',
      "'; drop table user_account; --",
      '01890000-0000-7000-8000-000000000000',
      '-'.repeat(36),
      '%00',
      '..%2f..',
    ]) {
      expect((await scim.get(`/Users/${encodeURIComponent(id)}`)).status).toBe(404);
      expect((await scim.remove(`/Users/${encodeURIComponent(id)}`)).status).toBe(404);
      expect((await scim.remove(`/Groups/${encodeURIComponent(id)}`)).status).toBe(404);
      expect((await scim.patch(`/Users/${encodeURIComponent(id)}`, [{ op: 'remove', path: 'title' }])).status).toBe(
        404,
      );
    }
  });
});

it('an address that a directory gave somebody as user name is taken, and told so to who types it in', async () => {
  await scim.user('gave@example.com');
  const api = await scimClient(cardea, people);
  const { status, body } = await api.post(
    `${cardea.issuer}/api/admin/users`,
    { email: 'Gave@example.com', name: 'Other' },
    { 'content-type': 'application/json' },
  );
  expect([status, body.code]).toEqual([409, 'user.email_taken']);
});

describe('versions', () => {
  it('are told, asked for and demanded', async () => {
    const { id, meta } = await scim.user('versioned');
    expect((await scim.get(`/Users/${id}`, { 'if-none-match': meta.version })).status).toBe(304);
    const patch = [{ op: 'replace', path: 'title', value: 'One' }];
    const changed = await scim.patch(`/Users/${id}`, patch, { 'if-match': meta.version });
    expect(changed.status).toBe(200);
    expect(changed.body.meta.version).not.toBe(meta.version);
    expect((await scim.patch(`/Users/${id}`, patch, { 'if-match': meta.version })).status).toBe(412);
    expect((await scim.remove(`/Users/${id}`, { 'if-match': meta.version })).status).toBe(412);
    expect((await scim.get(`/Users/${id}`, { 'if-none-match': meta.version })).status).toBe(200);
    // What says what is there already changes nothing.
    const again = await scim.patch(`/Users/${id}`, patch);
    expect(again.body.meta).toEqual(changed.body.meta);
  });
});

describe('races', () => {
  it('of 64 creations of one user name one is made, and 63 are told', async () => {
    const answers = await times(64, (at) =>
      scim.post('/Users', { schemas: [USER], userName: at % 2 ? 'racer' : 'RACER' }),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    const refused = answers.filter(({ status }) => status === 409);
    expect(refused).toHaveLength(63);
    expect(refused.every(({ body }) => body.scimType === 'uniqueness')).toBe(true);
  });

  it('of 16 changes at once none is lost', async () => {
    const { id } = await scim.user('busy');
    await times(16, (at) => scim.patch(`/Users/${id}`, [{ op: 'add', path: 'ims', value: [{ value: `${at}` }] }]));
    expect((await scim.get(`/Users/${id}`)).body.ims).toHaveLength(16);
  });

  it('of 8 replacements that demand one version one is done', async () => {
    const { id, meta } = await scim.user('demanded');
    const answers = await times(8, (at) =>
      scim.put(`/Users/${id}`, { schemas: [USER], userName: 'demanded', title: `${at}` }, { 'if-match': meta.version }),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(412)]);
  });
});

describe('a provisioning domain', () => {
  it('is all there is for its client', async () => {
    const [mine, other] = [await scimClient(cardea, west), await scimClient(cardea, east)];
    const made = await mine.user('of.west', { emails: [{ value: 'of.west@example.com' }] });
    const theirs = await other.user('of.east');
    const group = await other.group('Eastern', [theirs.id]);
    for (const path of [`/Users/${theirs.id}`, `/Groups/${group.id}`]) {
      expect((await mine.get(path)).status).toBe(404);
      expect((await mine.remove(path)).status).toBe(404);
      expect((await mine.patch(path, [{ op: 'replace', path: 'displayName', value: 'x' }])).status).toBe(404);
      expect(
        (await mine.put(path, { schemas: [USER], userName: 'x', displayName: 'x' })).status,
      ).toBeGreaterThanOrEqual(400);
    }
    expect((await mine.get('/Users')).body.Resources.map(({ userName }: { userName: string }) => userName)).toEqual([
      'of.west',
    ]);
    expect((await mine.get('/Groups')).body.totalResults).toBe(0);
    expect(await mine.users('userName pr or id pr')).toEqual(['of.west']);
    // Nor can its own refer to another's.
    const refusals = [
      await mine.post('/Groups', {
        schemas: ['urn:ietf:params:scim:schemas:core:2.0:Group'],
        displayName: 'Both',
        members: [{ value: theirs.id }],
      }),
      await mine.patch(`/Users/${made.id}`, [{ op: 'add', path: `${ENTERPRISE}:manager`, value: theirs.id }]),
    ];
    for (const { body } of refusals) expect(body.scimType).toBe('invalidValue');
    // One user name is one person, whoever provisions.
    expect((await mine.post('/Users', { schemas: [USER], userName: 'OF.EAST' })).status).toBe(409);
    expect((await scim.get(`/Users/${made.id}`)).status).toBe(200);
  });
});

describe('/Me', () => {
  it('is the person behind the token, and nobody without one', async () => {
    expect((await scim.get('/Me')).status).toBe(404);
    const parameters = { scope: 'openid account.read scim.read', resource: `${cardea.issuer}/api` };
    const tokens = await tokenClient(cardea.issuer, console_).signIn({
      parameters,
      tokenParameters: { resource: parameters.resource },
    });
    const me = scimWith(cardea, tokens.access_token);
    expect((await me.get('/Me')).body).toMatchObject({ userName: 'ada@example.com', displayName: 'Ada Lovelace' });
    // No administrator: nobody else, and nothing is changed.
    expect((await me.get('/Users')).status).toBe(403);
    expect((await me.patch('/Me', [{ op: 'replace', path: 'displayName', value: 'x' }])).status).toBe(403);
  });
});

it('what was done is in the journal, with who did it', async () => {
  const { id } = await scim.user('audited');
  await scim.patch(`/Users/${id}`, [{ op: 'replace', path: 'active', value: 'False' }]);
  const rows = await cardea.sql<{ type: string }>(
    `select type, actor_kind, actor_id from audit_event where subject = $1 order by id`,
    [id],
  );
  expect(rows).toEqual([
    { type: 'user.created', actor_kind: 'client', actor_id: 'directory' },
    { type: 'user.suspended', actor_kind: 'client', actor_id: 'directory' },
  ]);
});
