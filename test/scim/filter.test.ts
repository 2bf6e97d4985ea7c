import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cardea, startCardea } from '../support/cardea.ts';
import { CARDEA, ENTERPRISE, GROUP, provisioner, type ScimClient, SEARCH, scimClient } from '../support/scim.ts';
import { bootstrap } from '../support/seeds.ts';

// The whole filter grammar (RFC 7644, section 3.4.2.2) over HTTP, with sorting, paging and selection.

let cardea: Cardea;
let scim: ScimClient;
let ids: Record<string, string>;
let group: { id: string };
beforeAll(async () => {
  const lister = provisioner('lister', { provisioning_domain: 'filters' });
  cardea = await startCardea({ bootstrap: { ...bootstrap, clients: [...bootstrap.clients, lister] } });
  scim = await scimClient(cardea, lister);
  const anna = await scim.user('Anna', {
    externalId: 'Ext-1',
    displayName: 'Anna O\'Hara "the first" 100%',
    name: { givenName: 'Anna', familyName: "O'Hara" },
    title: 'Engineer',
    userType: 'Employee',
    emails: [
      { value: 'anna@work.example.com', type: 'work' },
      { value: 'Anna@Home.example.org', type: 'home' },
    ],
    [ENTERPRISE]: { department: 'Tour Operations', employeeNumber: '7' },
  });
  const bert = await scim.user('bert', {
    externalId: 'ext-1',
    displayName: 'Bert_Under',
    name: { givenName: 'Bert', familyName: 'Zimt' },
    userType: 'Intern',
    active: false,
    emails: [{ value: 'bert@home.example.com', type: 'home' }],
    phoneNumbers: [{ value: '+1 555', type: 'mobile' }],
    [ENTERPRISE]: { manager: { value: anna.id } },
  });
  const cleo = await scim.user('cleo', { displayName: 'Cleo\\Back', title: '', ims: [{ value: 'cleo', type: 'aim' }] });
  const dora = await scim.user('dora@example.com');
  ids = { Anna: anna.id, bert: bert.id, cleo: cleo.id, dora: dora.id };
  group = await scim.group('Crew', [anna.id, bert.id]);
});
afterAll(async () => {
  const logs = cardea.logs();
  await cardea.stop();
  expect(logs).not.toMatch(/"level":"(error|fatal)"/);
});

const A = 'Anna';
const B = 'bert';
const C = 'cleo';
const D = 'dora@example.com';

describe('a filter finds', () => {
  const cases: [filter: () => string, expected: string[]][] = [
    [() => 'userName eq "anna"', [A]],
    [() => 'USERNAME Eq "ANNA"', [A]],
    [() => `urn:ietf:params:scim:schemas:core:2.0:User:userName sw "D"`, [D]],
    [() => 'userName ne "anna"', [B, C, D]],
    [() => 'userName co "ER"', [B]],
    [() => 'userName ew ".com"', [D]],
    [() => 'userName gt "bert"', [C, D]],
    [() => 'userName le "bert"', [A, B]],
    [() => `id eq "${ids.cleo}"`, [C]],
    [() => 'id eq "nonsense"', []],
    [() => `id eq "${ids.Anna}" or id eq "${ids.bert}"`, [A, B]],
    // externalId knows the case, displayName does not.
    [() => 'externalId eq "ext-1"', [B]],
    [() => 'displayName eq "BERT_under"', [B]],
    // What means something to LIKE means itself.
    [() => 'displayName co "%"', [A]],
    [() => 'displayName co "t_u"', [B]],
    [() => 'displayName co "a_a"', []],
    [() => String.raw`displayName ew "\\Back"`, [C]],
    [() => String.raw`displayName co "\"the"`, [A]],
    [() => `name.familyName eq "O'Hara"`, [A]],
    [() => `name.familyName eq "x'; drop table user_account; --"`, []],
    [() => 'name pr', [A, B]],
    [() => 'name.formatted eq "bert_under"', [B]],
    [() => 'title pr', [A]],
    [() => 'not (title pr)', [B, C, D]],
    [() => 'title eq null', [B, C, D]],
    [() => 'title ne null', [A]],
    [() => 'title ne "Engineer"', [B, C, D]],
    [() => 'title pr and userType eq "Employee"', [A]],
    [() => 'userType eq "Employee" or userType eq "Intern" and active eq false', [A, B]],
    [() => '(userType eq "Employee" or userType eq "Intern") and active eq false', [B]],
    [() => 'active eq true', [A, C, D]],
    [() => 'active eq "False"', [B]],
    [() => 'active ne true', [B]],
    [() => 'emails co "example.com"', [A, B]],
    [() => 'emails.value eq "ANNA@home.example.org"', [A]],
    [() => 'emails eq "bert@home.example.com"', [B]],
    [() => 'emails.value eq "no address"', []],
    [() => 'emails.type eq "work"', [A]],
    [() => 'emails.type ne "work"', [A, B]],
    [() => 'emails[type eq "work" and value co "@work"]', [A]],
    [() => 'emails[type eq "work" and value co "@home"]', []],
    [() => 'emails[not (type eq "work")]', [A, B]],
    [() => 'emails[primary eq true and type eq "home"]', [B]],
    [() => 'userType eq "Employee" and emails[type eq "work" and value co "@work.example.com"]', [A]],
    [() => 'emails[type eq "work" and value co "@example.com"] or ims[type eq "aim" and value co "cleo"]', [C]],
    [() => 'emails pr', [A, B]],
    [() => 'phoneNumbers[type eq "mobile"].value eq "x"', ['invalidFilter']],
    [() => 'ims pr or phoneNumbers pr', [B, C]],
    [() => 'emails.primary eq "True"', [A, B]],
    [() => `${ENTERPRISE}:department sw "tour"`, [A]],
    [() => `${ENTERPRISE}:manager eq "${ids.Anna}"`, [B]],
    [() => `${ENTERPRISE}:manager.value eq "${ids.Anna}" and id eq "${ids.bert}"`, [B]],
    [() => `${CARDEA}:state eq "suspended"`, [B]],
    [() => `${CARDEA}:emailVerified eq true`, [A, B]],
    [() => `${CARDEA}:identityStatus ne "none"`, []],
    [() => `groups eq "${group.id}"`, [A, B]],
    [() => 'groups.display eq "crew"', [A, B]],
    [() => 'not (groups pr)', [C, D]],
    [() => 'meta.created gt "2011-05-13T04:42:34Z"', [A, B, C, D]],
    [() => 'meta.lastModified lt "2011-05-13T04:42:34Z"', []],
    [() => 'meta.resourceType eq "User"', [A, B, C, D]],
    [() => 'meta.resourceType eq "Group"', []],
  ];
  it('all that RFC 7644 and real senders write', async () => {
    const found = [];
    for (const [filter] of cases) found.push([filter(), await scim.users(filter(), { sortBy: 'userName' })]);
    const expected = cases.map(([filter, names]) => [filter(), names[0] === 'invalidFilter' ? 'invalidFilter' : names]);
    expect(found).toEqual(expected);
  }, 30_000);
});

describe('a filter is refused', () => {
  const nested = (depth: number) => `${'('.repeat(depth)}userName pr${')'.repeat(depth)}`;
  const cases: [string, string][] = [
    ['nothing after the operator', 'userName eq'],
    ['no operator', 'userName'],
    ['an operator nobody knows', 'userName like "x"'],
    ['a value without quotes', 'userName eq anna'],
    ['quotes that do not end', 'userName eq "anna'],
    ['brackets that do not end', '(userName pr'],
    ['a bracket too many', 'userName pr)'],
    ['words left over', 'userName pr userName pr'],
    ['no such attribute', 'shoeSize eq 43'],
    ['no such part', 'name.shoeSize eq "43"'],
    ['a complex attribute without a part', 'name eq "x"'],
    ['a truth that is greater', 'active gt true'],
    ['a number for a text', 'userName eq 5'],
    ['a time that is none', 'meta.created gt "yesterday"'],
    ['SQL', `userName eq "x" or 1=1`],
    ['SQL for an attribute', `userName;drop eq "x"`],
    ['NUL', 'userName eq "a\\u0000"'],
    ['nested 33 deep', nested(33)],
    ['nested 1,000 deep', nested(1_000)],
    ['not 1,000 deep', `${'not ('.repeat(1_000)}userName pr${')'.repeat(1_000)}`],
    ['[ ] in [ ]', 'emails[emails[type pr]]'],
    ['more terms than anybody writes', Array(300).fill('userName pr').join(' or ')],
  ];
  it.each(cases)('%s', async (_name, filter) => {
    const { status, body } = await scim.get(`/Users?${new URLSearchParams({ filter })}`);
    expect([status, body.scimType]).toEqual([400, 'invalidFilter']);
  });

  it('the password, whatever is asked of it', async () => {
    for (const filter of ['password eq "x"', 'password pr', 'password sw "s"'])
      expect(await scim.users(filter)).toBe('sensitive');
  });

  it('in a body, however long', async () => {
    const filter = `${'('.repeat(100_000)}userName pr${')'.repeat(100_000)}`;
    const { body } = await scim.post('/Users/.search', { schemas: [SEARCH], filter });
    expect(body.scimType).toBe('invalidFilter');
  });

  it('but not one that is 32 deep', async () => {
    expect(await scim.users(nested(32))).toHaveLength(4);
  });
});

describe('sorting', () => {
  const sorted = (sortBy: string, sortOrder = 'ascending') => scim.users('userName pr', { sortBy, sortOrder });
  it('knows the case as the schema does, and puts who has no value last', async () => {
    expect(await sorted('userName', 'descending')).toEqual([D, C, B, A]);
    expect((await sorted('name.familyName')).slice(0, 2)).toEqual([A, B]);
    expect((await sorted('name.familyName', 'descending')).slice(2)).toEqual([B, A]);
    expect((await sorted('emails')).slice(0, 2)).toEqual([A, B]);
    expect(await sorted('meta.created')).toEqual([A, B, C, D]);
    expect(await sorted('id')).toEqual([A, B, C, D]);
    expect((await scim.get('/Users?sortBy=shoeSize')).body.scimType).toBe('invalidPath');
    expect((await scim.get('/Users?sortBy=userName&sortOrder=sideways')).body.scimType).toBe('invalidValue');
  });
});

describe('pages', () => {
  it('go by number', async () => {
    const page = async (query: string) => (await scim.get(`/Users?sortBy=userName&${query}`)).body;
    expect(await page('startIndex=2&count=2')).toMatchObject({
      totalResults: 4,
      startIndex: 2,
      itemsPerPage: 2,
      Resources: [{ userName: B }, { userName: C }],
    });
    expect(await page('count=0')).toMatchObject({ totalResults: 4, itemsPerPage: 0, Resources: [] });
    expect(await page('count=-5')).toMatchObject({ totalResults: 4, itemsPerPage: 0 });
    expect(await page('startIndex=-3&count=1')).toMatchObject({ startIndex: 1, Resources: [{ userName: A }] });
    expect(await page('startIndex=99')).toMatchObject({ totalResults: 4, Resources: [] });
    expect((await page('count=many')).scimType).toBe('invalidCount');
    expect((await page('startIndex=99999999999')).scimType).toBe('invalidValue');
  });

  const walk = async (query: string) => {
    const names: string[] = [];
    let cursor = '';
    for (let pages = 0; pages < 9; pages++) {
      const { status, body } = await scim.get(`/Users?${query}&cursor=${encodeURIComponent(cursor)}`);
      expect(status).toBe(200);
      expect(body).toMatchObject({ totalResults: 4 });
      expect(body.startIndex).toBeUndefined();
      names.push(...body.Resources.map(({ userName }: { userName: string }) => userName));
      if (body.nextCursor === undefined) return names;
      cursor = body.nextCursor;
    }
    throw new Error('there is no end');
  };
  it('go by cursor (RFC 9865), in any order, and miss nobody', async () => {
    for (const sort of [
      '',
      'sortBy=userName',
      'sortBy=title',
      'sortBy=title&sortOrder=descending',
      'sortBy=emails',
      'sortBy=name.familyName&sortOrder=descending',
      'sortBy=meta.created&sortOrder=descending',
      'sortBy=active',
    ]) {
      for (const count of [1, 3, 4]) {
        const names = await walk(`${sort}&count=${count}`);
        expect([sort, [...names].sort()]).toEqual([sort, [A, B, C, D]]);
        const { body } = await scim.get(`/Users?${sort}`);
        expect(body.Resources.map(({ userName }: { userName: string }) => userName)).toEqual(names);
      }
    }
  }, 30_000);

  it('by cursor refuse what is no cursor, or one of another query', async () => {
    const { body } = await scim.get('/Users?count=1&cursor=');
    const next = encodeURIComponent(body.nextCursor);
    expect((await scim.get(`/Users?count=1&cursor=${next}`)).status).toBe(200);
    expect((await scim.get(`/Users?count=1&sortBy=userName&cursor=${next}`)).body.scimType).toBe('invalidCursor');
    expect((await scim.get(`/Users?filter=title%20pr&cursor=${next}`)).body.scimType).toBe('invalidCursor');
    expect((await scim.get(`/Groups?count=1&cursor=${next}`)).body.scimType).toBe('invalidCursor');
    expect((await scim.get('/Users?cursor=nonsense')).body.scimType).toBe('invalidCursor');
    expect((await scim.get('/Users?cursor=&count=0')).body.scimType).toBe('invalidCount');
  });
});

describe('what of a resource is told', () => {
  it('is what was asked for, and always its id', async () => {
    const one = async (query: string) => (await scim.get(`/Users/${ids.Anna}?${query}`)).body;
    const some = await one(`attributes=userName,name.givenName,emails.value,${ENTERPRISE}:department`);
    expect(some).toEqual({
      schemas: expect.anything(),
      id: ids.Anna,
      userName: A,
      name: { givenName: 'Anna' },
      emails: [{ value: 'anna@work.example.com' }, { value: 'Anna@Home.example.org' }],
      [ENTERPRISE]: { department: 'Tour Operations' },
    });
    expect(Object.keys(await one('attributes=NOTHING')).sort()).toEqual(['id', 'schemas']);
    expect(await one(`attributes=${ENTERPRISE}`)).toMatchObject({ [ENTERPRISE]: { employeeNumber: '7' } });
    const less = await one(`excludedAttributes=id,emails.type,groups,meta,${ENTERPRISE}`);
    expect(less).toMatchObject({ id: ids.Anna, userName: A });
    expect([less.groups, less.meta, less[ENTERPRISE], less.emails[0].type]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect((await one('')).groups).toEqual([
      { value: group.id, $ref: `${scim.base}/Groups/${group.id}`, display: 'Crew', type: 'direct' },
    ]);
    expect((await one('attributes=userName&excludedAttributes=id')).scimType).toBe('invalidValue');
    expect(await one('attributes=password')).not.toHaveProperty('password');
  });
});

describe('/.search', () => {
  it('asks at Users, at Groups and of all', async () => {
    const search = async (path: string, more: object = {}) =>
      (await scim.post(`${path}/.search`, { schemas: [SEARCH], ...more })).body;
    expect(await search('/Users', { filter: 'userName sw "b"', attributes: ['userName'] })).toMatchObject({
      totalResults: 1,
      Resources: [{ userName: B }],
    });
    expect(await search('/Groups', { filter: 'displayName eq "CREW"' })).toMatchObject({ totalResults: 1 });
    const all = await search('', { count: 3, startIndex: 3 });
    expect(all).toMatchObject({
      totalResults: 5,
      itemsPerPage: 3,
      Resources: [{ userName: C }, { userName: D }, { displayName: 'Crew' }],
    });
    expect(await search('', { filter: 'userName eq "bert"' })).toMatchObject({ totalResults: 1 });
    expect(await search('', { filter: 'displayName co "r"', attributes: ['displayName'] })).toMatchObject({
      totalResults: 3,
    });
    expect(await search('', { filter: 'meta.resourceType eq "Group"' })).toMatchObject({
      Resources: [{ schemas: [GROUP] }],
    });
    expect((await search('', { filter: 'shoeSize eq 1' })).scimType).toBe('invalidFilter');
    expect((await scim.post('/Users/.search', { filter: 'id pr' })).body.scimType).toBe('invalidSyntax');
  });
});

describe('discovery', () => {
  it('tells what is offered, to anybody; and the schemas to clients', async () => {
    const config = await (await fetch(`${scim.base}/ServiceProviderConfig`)).json();
    expect(config).toMatchObject({
      patch: { supported: true },
      bulk: { maxOperations: 1000, maxPayloadSize: 10_000_000 },
      etag: { supported: true },
      pagination: { cursor: true },
    });
    expect((await fetch(`${scim.base}/Schemas`)).status).toBe(401);
    const { body: types } = await scim.get('/ResourceTypes');
    expect(types.Resources.map(({ endpoint }: { endpoint: string }) => endpoint)).toEqual(['/Users', '/Groups']);
    expect((await scim.get('/ResourceTypes/user')).body).toMatchObject({
      schemaExtensions: [{ schema: ENTERPRISE }, { schema: CARDEA }],
    });
    const { body: schemas } = await scim.get('/Schemas');
    expect(schemas.totalResults).toBe(4);
    const { body: user } = await scim.get('/Schemas/urn:ietf:params:scim:schemas:core:2.0:User');
    const userName = user.attributes.find(({ name }: { name: string }) => name === 'userName');
    expect(userName).toMatchObject({ required: true, caseExact: false, uniqueness: 'server', returned: 'default' });
    expect((await scim.get('/Schemas/urn:nothing')).status).toBe(404);
    expect((await scim.get('/Schemas?filter=id%20pr')).status).toBe(403);
  });
});
