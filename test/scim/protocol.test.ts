import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cardea, startCardea } from '../support/cardea.ts';
import {
  CARDEA,
  ENTERPRISE,
  provisioner,
  type ScimClient,
  SEARCH,
  scimClient,
  scimWith,
  USER,
} from '../support/scim.ts';
import { bootstrap, clients } from '../support/seeds.ts';

// SCIM as a protocol on HTTP: methods, types, origins, limits, custom fields; and what the whole offers by cursor.

const ERROR = 'urn:ietf:params:scim:api:messages:2.0:Error';

let cardea: Cardea;
let scim: ScimClient;
beforeAll(async () => {
  const sizes = ['S', 'M'].map((value) => ({ value }));
  const fields = [
    { name: 'shirt_size', type: 'enum', label: { en: 'Shirt size' }, scim: 'shirtSize', options: sizes },
    { name: 'badge', type: 'integer', label: { en: 'Badge' } },
    { name: 'languages', type: 'strings', label: { en: 'Languages' } },
    { name: 'secret', type: 'string', label: { en: 'Secret' }, read: [], write: [] },
  ];
  const many = [
    provisioner('directory', { provisioning_domain: 'p' }),
    provisioner('eager'),
    provisioner('lasting', { provisioning_by_secret: true, scope: 'scim.read' }),
  ];
  cardea = await startCardea({
    bootstrap: { ...bootstrap, fields, clients: [...bootstrap.clients, ...many] },
    settings: { limits: { scim_requests: { points: 150, window: '1h' } } },
  });
  scim = await scimClient(cardea, many[0]!);
});
afterAll(async () => {
  const logs = cardea.logs();
  await cardea.stop();
  expect(logs).not.toMatch(/"level":"(error|fatal)"/);
});

describe('HTTP', () => {
  it('is told what can be done where, and refuses the rest in SCIM’s words', async () => {
    const user = await scim.user('methods');
    const allowed: [path: string, methods: string][] = [
      ['/Users', 'HEAD, GET, POST, OPTIONS'],
      [`/Users/${user.id}`, 'HEAD, GET, PUT, PATCH, DELETE, OPTIONS'],
      ['/Groups', 'HEAD, GET, POST, OPTIONS'],
      ['/Me', 'HEAD, GET, PUT, PATCH, DELETE, OPTIONS'],
      ['/Bulk', 'POST, OPTIONS'],
      ['/.search', 'POST, OPTIONS'],
      ['', 'HEAD, GET, OPTIONS'],
      ['/ServiceProviderConfig', 'HEAD, GET, OPTIONS'],
      ['/Schemas', 'HEAD, GET, OPTIONS'],
    ];
    for (const [path, methods] of allowed) {
      const options = await scim.send('OPTIONS', path);
      expect([path, options.status, options.headers.get('allow')]).toEqual([path, 204, methods]);
      const method = ['DELETE', 'GET'].find((one) => !methods.includes(one))!;
      if (!method) continue;
      const refused = await scim.send(method, path);
      expect([path, refused.status, refused.body.status, refused.body.schemas]).toEqual([path, 405, '405', [ERROR]]);
      expect(refused.headers.get('allow')).toBe(methods);
    }
    for (const path of ['/Nothing', '/Users/x/y/z', '/users.php']) {
      const { status, body } = await scim.get(path);
      expect([path, status, body.schemas]).toEqual([path, 404, [ERROR]]);
    }
    const head = await scim.send('HEAD', `/Users/${user.id}`);
    expect([head.status, head.body, head.headers.get('etag')]).toEqual([200, undefined, user.meta.version]);
  });

  it('speaks the type that is asked for', async () => {
    const typeFor = async (accept: string) =>
      (await scim.get('/Users?count=0', { accept })).headers.get('content-type');
    expect(await typeFor('application/scim+json')).toBe('application/scim+json');
    expect(await typeFor('application/json')).toBe('application/json');
    expect(await typeFor('application/scim+json, application/json;q=0.5')).toBe('application/scim+json');
    expect(await typeFor('*/*')).toBe('application/scim+json');
  });

  it('tells who has no token, or not enough of one, how to get in (RFC 6750)', async () => {
    const none = await fetch(`${scim.base}/Users`);
    expect([none.status, (await none.json()).schemas]).toEqual([401, [ERROR]]);
    expect(none.headers.get('www-authenticate')).toMatch(/^Bearer /);
    expect(none.headers.get('content-type')).toBe('application/scim+json');
    const wrong = await fetch(`${scim.base}/Users`, { headers: { authorization: 'Bearer nonsense' } });
    expect([wrong.status, wrong.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringContaining('error="invalid_token"'),
    ]);
  });

  it('takes a client’s secret for a token where its metadata allow that, and nowhere else', async () => {
    const tokenOf = (id: string, secret = clients.service.client_secret) => btoa(`${id}:${secret}`);
    const lasting = scimWith(cardea, tokenOf('lasting'));
    expect((await lasting.get('/Users?count=0')).status).toBe(200);
    expect((await lasting.get('/Me')).status).toBe(404);
    const status = async (token: string, method = 'GET', url = '/Users?count=0') =>
      (await scimWith(cardea, token).send(method, url, method === 'POST' ? {} : undefined)).status;
    // It reaches no further than its scopes.
    expect(await status(tokenOf('lasting'), 'POST', '/Users')).toBe(403);
    expect(await status(tokenOf('lasting', `${clients.service.client_secret}x`))).toBe(401);
    expect(await status(tokenOf('lasting', clients.service.client_secret.slice(1)))).toBe(401);
    expect(await status(tokenOf('directory'))).toBe(401);
    expect(await status(tokenOf('nobody'))).toBe(401);
    // Not at the REST API, and at no other door.
    expect(await status(tokenOf('lasting'), 'GET', `${cardea.issuer}/api/admin/users`)).toBe(401);
  });

  it('lets scripts of other origins in by their token, and is never asked with cookies', async () => {
    const preflight = await fetch(`${scim.base}/Users`, {
      method: 'OPTIONS',
      headers: { origin: 'https://console.example', 'access-control-request-method': 'POST' },
    });
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, '*']);
    expect(preflight.headers.get('access-control-allow-headers')).toContain('Authorization');
    expect(preflight.headers.get('access-control-allow-credentials')).toBeNull();
    expect((await scim.get('/Users?count=0')).headers.get('access-control-expose-headers')).toContain('ETag');
  });

  it('tells each client how much is left, and whom it must wait for', async () => {
    const eager = await scimClient(cardea, provisioner('eager'));
    const first = await eager.get('/Users?count=0');
    expect(first.headers.get('ratelimit-policy')).toBe('"scim.requests";q=150;w=3600');
    expect(first.headers.get('ratelimit')).toMatch(/^"scim.requests";r=149;t=\d+$/);
    let last = first;
    for (let round = 1; round < 400 && last.status === 200; round++) last = await eager.get('/Users?count=0');
    expect([last.status, last.body.schemas, last.body.status]).toEqual([429, [ERROR], '429']);
    expect(Number(last.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(last.headers.get('ratelimit')).toMatch(/^"scim.requests";r=0;t=\d+$/);
    expect((await scim.get('/Users?count=0')).status).toBe(200);
  });
});

describe('custom fields', () => {
  it('are declared in the schema, written, patched and found', async () => {
    const { body: schema } = await scim.get(`/Schemas/${CARDEA}`);
    const attribute = (name: string) => schema.attributes.find((one: { name: string }) => one.name === name);
    expect(attribute('shirtSize')).toMatchObject({
      type: 'string',
      canonicalValues: ['S', 'M'],
      mutability: 'readWrite',
    });
    expect(attribute('badge')).toMatchObject({ type: 'integer', multiValued: false });
    expect(attribute('languages')).toMatchObject({ type: 'string', multiValued: true });
    expect(attribute('secret')).toBeUndefined();
    const ours = { shirtSize: 'M', badge: 7, languages: ['de', 'en'] };
    const { id, ...made } = await scim.user('fielded', { [CARDEA]: ours });
    expect(made[CARDEA]).toMatchObject(ours);
    const patched = await scim.patch(`/Users/${id}`, [
      { op: 'remove', path: `${CARDEA}:languages[value eq "de"]` },
      { op: 'add', path: `${CARDEA}:languages`, value: ['fr'] },
      { op: 'replace', value: { [CARDEA]: { schemas: [CARDEA], badge: '8' } } },
    ]);
    expect(patched.body[CARDEA]).toMatchObject({ shirtSize: 'M', badge: 8, languages: ['en', 'fr'] });
    for (const filter of [
      `${CARDEA}:badge gt 7`,
      `${CARDEA}:shirtSize eq "m"`,
      `${CARDEA}:languages eq "fr"`,
      `${CARDEA}:languages[value sw "f"]`,
      'badge eq 8',
    ])
      expect([filter, await scim.users(filter)]).toEqual([filter, ['fielded']]);
    const refused = async (value: object) => (await scim.patch(`/Users/${id}`, [{ op: 'add', value }])).body;
    expect((await refused({ [CARDEA]: { shirtSize: 'XXL' } })).scimType).toBe('invalidValue');
    expect((await refused({ [CARDEA]: { badge: 'many' } })).scimType).toBe('invalidValue');
    expect((await refused({ [CARDEA]: { secret: 'x' } })).scimType).toBe('invalidPath');
  });
});

describe('senders’ ways', () => {
  it('a value that is said not to be the primary one stays so, and the address is the account’s all the same', async () => {
    const emails = [
      { value: 'home@said.example', type: 'home', primary: false },
      { value: 'work@said.example', type: 'work', primary: false },
    ];
    const { id, ...made } = await scim.user('said', { emails });
    expect(made.emails).toEqual(emails);
    const [row] = await cardea.sql<{ email: string }>('select email from user_account where id = $1', [id]);
    expect(row!.email).toBe('work@said.example');
  });

  it('what the person has changed since is found as it is told', async () => {
    const { id } = await scim.user('changing', {
      emails: [{ value: 'before@x.example', type: 'work' }],
      phoneNumbers: [{ value: '+49 1', type: 'work' }, { value: '+49 2' }],
      addresses: [{ type: 'home', locality: 'Bonn', primary: true }],
    });
    await cardea.sql(
      `update user_account set profile = '{"phone_number": "+49 3", "address": {"locality": "Ulm"}}' where id = $1`,
      [id],
    );
    for (const [filter, found] of [
      ['phoneNumbers eq "+49 1"', []],
      ['phoneNumbers[type eq "work" and value eq "+49 3"]', ['changing']],
      ['phoneNumbers eq "+49 2"', ['changing']],
      ['addresses.locality eq "ulm"', ['changing']],
      ['addresses[type eq "home" and locality eq "Bonn"]', []],
      ['emails co "before@x"', ['changing']],
    ] as const)
      expect([filter, await scim.users(filter)]).toEqual([filter, found]);
  });

  it('a manager comes as an id, as a list of one, by address, and without the extension’s name', async () => {
    const boss = await scim.user('boss');
    const { id } = await scim.user('report');
    const ref = `${scim.base}/Users/${boss.id}`;
    for (const [path, value] of [
      [`${ENTERPRISE}:manager`, boss.id],
      [`${ENTERPRISE}:manager`, [{ $ref: '../Users/x', value: boss.id }]],
      [`${ENTERPRISE}:manager`, { $ref: ref }],
      [`${ENTERPRISE}:manager.$ref`, ref],
      ['manager', boss.id],
    ] as const) {
      const { body } = await scim.patch(`/Users/${id}`, [{ op: 'Add', path, value }]);
      expect(body[ENTERPRISE]).toEqual({ manager: { value: boss.id, $ref: ref } });
      expect(await scim.users(`id eq "${id}" and manager eq "${boss.id}"`, { attributes: 'userName' })).toEqual([
        'report',
      ]);
      await scim.patch(`/Users/${id}`, [{ op: 'Remove', path: `${ENTERPRISE}:manager` }]);
    }
    expect((await scim.get(`/Users/${id}`)).body[ENTERPRISE]).toBeUndefined();
  });

  it('what is told along with a change is no change', async () => {
    const { id, meta } = await scim.user('along');
    const { status, body } = await scim.patch(`/Users/${id}`, [
      { op: 'replace', value: { schemas: [USER], id, meta, title: 'New' } },
    ]);
    expect([status, body.title]).toEqual([200, 'New']);
  });
});

describe('the whole', () => {
  it('is read by number and by cursor, people first, then groups', async () => {
    await scim.group('Whole 1');
    await scim.group('Whole 2');
    const { body: everything } = await scim.get('?count=100');
    const nameOf = (one: { userName?: string; displayName?: string }) => one.userName ?? one.displayName;
    const names = everything.Resources.map(nameOf);
    expect(names).toEqual(expect.arrayContaining(['methods', 'Whole 1', 'Whole 2']));
    expect(everything.totalResults).toBe(names.length);
    for (const count of [1, 3, names.length - 2, names.length, 100]) {
      const walked: string[] = [];
      let cursor: string | undefined = '';
      while (cursor !== undefined) {
        const { body } = await scim.post('/.search', { schemas: [SEARCH], count, cursor });
        expect(body.totalResults).toBe(names.length);
        expect(body.itemsPerPage).toBeLessThanOrEqual(count);
        walked.push(...body.Resources.map(nameOf));
        cursor = body.nextCursor;
      }
      expect([count, walked]).toEqual([count, names]);
    }
    const wrong = async (query: string) => (await scim.get(`?${query}`)).body.scimType;
    expect(await wrong('cursor=nonsense')).toBe('invalidCursor');
    expect(await wrong('cursor=uu')).toBe('invalidCursor');
    expect(await wrong('cursor=&count=0')).toBe('invalidCount');
  });

  it('refuses a filter on what is offered', async () => {
    for (const path of ['/ServiceProviderConfig', '/ResourceTypes', '/ResourceTypes/User', '/Schemas'])
      expect([path, (await scim.get(`${path}?filter=id%20pr`)).status]).toEqual([path, 403]);
  });
});
