import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cardea, startCardea } from '../support/cardea.ts';
import { PASSWORD } from '../support/flows.ts';
import { ENTERPRISE, GROUP, PATCH, provisioner, type ScimClient, scimClient, USER } from '../support/scim.ts';
import { bootstrap } from '../support/seeds.ts';
import { times } from '../support/token-client.ts';

// Groups and bulk requests over SCIM.

let cardea: Cardea;
let scim: ScimClient;
let people: string[];
beforeAll(async () => {
  const directory = provisioner('directory');
  cardea = await startCardea({ bootstrap: { ...bootstrap, clients: [...bootstrap.clients, directory] } });
  scim = await scimClient(cardea, directory);
  people = await times(6, async (at) => (await scim.user(`person${at}`, { displayName: `Person ${at}` })).id);
});
afterAll(async () => {
  const logs = cardea.logs();
  await cardea.stop();
  expect(logs).not.toMatch(/"level":"(error|fatal)"/);
});

const nobody = '01890000-0000-7000-8000-000000000000';
const membersOf = async (id: string): Promise<string[]> =>
  ((await scim.get(`/Groups/${id}`)).body.members ?? []).map(({ value }: { value: string }) => value);
const sorted = (...at: number[]) => at.map((each) => people[each]!).sort();

describe('a group', () => {
  it('is made, read, replaced and removed', async () => {
    const made = await scim.post('/Groups', {
      schemas: [GROUP],
      displayName: 'Tour Guides',
      externalId: 'g-1',
      members: [{ value: people[0], display: 'ignored' }],
    });
    expect(made.status).toBe(201);
    const { id } = made.body;
    expect(made.body).toMatchObject({
      externalId: 'g-1',
      displayName: 'Tour Guides',
      members: [{ value: people[0], display: 'Person 0', type: 'User', $ref: `${scim.base}/Users/${people[0]}` }],
      meta: { resourceType: 'Group', version: made.headers.get('etag'), location: made.headers.get('location') },
    });
    const stale = made.body.meta.version;
    const put = await scim.put(`/Groups/${id}`, {
      schemas: [GROUP],
      displayName: 'Guides',
      members: [{ value: people[1] }],
    });
    expect(put.body).toMatchObject({ displayName: 'Guides', members: [{ value: people[1] }] });
    expect(put.body.externalId).toBeUndefined();
    expect(
      (await scim.put(`/Groups/${id}`, { schemas: [GROUP], displayName: 'x' }, { 'if-match': stale })).status,
    ).toBe(412);
    expect((await scim.get(`/Groups/${id}?excludedAttributes=members`)).body.members).toBeUndefined();
    expect((await scim.remove(`/Groups/${id}`)).status).toBe(204);
    expect((await scim.get(`/Groups/${id}`)).status).toBe(404);
  });

  it('shows its people whose groups they are in, themselves and by others', async () => {
    const inner = await scim.group('inner', [people[5]!]);
    const outer = await scim.group('outer', [inner.id]);
    const { groups } = (await scim.get(`/Users/${people[5]}`)).body;
    expect(groups).toMatchObject([
      { value: inner.id, display: 'inner', type: 'direct' },
      { value: outer.id, display: 'outer', type: 'indirect' },
    ]);
    const circle = await scim.patch(`/Groups/${inner.id}`, [
      { op: 'add', path: 'members', value: [{ value: outer.id }] },
    ]);
    expect([circle.status, circle.body.scimType]).toEqual([400, 'invalidValue']);
  });
});

describe('its members', () => {
  const cases: [string, number[], (group: string) => unknown[], number[]][] = [
    [
      'are added (RFC 7644, section 3.5.2.1)',
      [0],
      () => [{ op: 'add', path: 'members', value: [{ value: people[1], display: 'x' }] }],
      [0, 1],
    ],
    ['are added without a path', [0], () => [{ op: 'add', value: { members: [{ value: people[1] }] } }], [0, 1]],
    [
      'are added twice and there once',
      [0],
      () => [{ op: 'Add', path: 'members', value: [{ value: people[0] }, { value: people[1] }, { value: people[1] }] }],
      [0, 1],
    ],
    ['are removed by a filter', [0, 1], () => [{ op: 'remove', path: `members[value eq "${people[0]}"]` }], [1]],
    [
      'are removed by two',
      [0, 1, 2],
      () => [{ op: 'remove', path: `members[value eq "${people[0]}" or value eq "${people[2]}"]` }],
      [1],
    ],
    [
      'are removed by value, as Entra does',
      [0, 1],
      () => [{ op: 'Remove', path: 'members', value: [{ value: people[1] }] }],
      [0],
    ],
    ['are removed by another part', [0, 1], () => [{ op: 'remove', path: 'members[display eq "person 1"]' }], [0]],
    ['are removed all', [0, 1], () => [{ op: 'remove', path: 'members' }], []],
    [
      'are replaced',
      [0, 1],
      () => [{ op: 'replace', path: 'members', value: [{ value: people[1] }, { value: people[2] }] }],
      [1, 2],
    ],
    [
      'are replaced by removing and adding (figure 8)',
      [0, 1],
      () => [
        { op: 'remove', path: 'members' },
        { op: 'add', path: 'members', value: [{ value: people[3] }] },
      ],
      [3],
    ],
    ['are not those who were not', [0], () => [{ op: 'remove', path: `members[value eq "${people[4]}"]` }], [0]],
    ['stay when Okta renames', [0], (id) => [{ op: 'replace', value: { id, displayName: 'Renamed' } }], [0]],
  ];
  it.each(cases)('%s', async (_name, before, operations, after) => {
    const { id } = await scim.group('G', sorted(...before));
    const answer = await scim.patch(`/Groups/${id}`, operations(id));
    expect(answer.status).toBe(204);
    expect(answer.headers.get('etag')).toMatch(/^W\/"\d+"$/);
    expect(await membersOf(id)).toEqual(sorted(...after));
  });

  const refused: [string, () => unknown[], string][] = [
    [
      'that nobody knows',
      () => [{ op: 'add', path: 'members', value: [{ value: people[1] }, { value: nobody }] }],
      'invalidValue',
    ],
    ['without a value', () => [{ op: 'add', path: 'members', value: [{ display: 'x' }] }], 'invalidValue'],
    [
      'with an id that is none',
      () => [{ op: 'add', path: 'members', value: [{ value: "x' or 1=1" }] }],
      'invalidValue',
    ],
    [
      'changed in place',
      () => [{ op: 'replace', path: `members[value eq "${people[0]}"].value`, value: people[1] }],
      'mutability',
    ],
    ['by a part nobody knows', () => [{ op: 'remove', path: 'members[shoeSize eq "43"]' }], 'invalidPath'],
    ['by a filter that nobody meets', () => [{ op: 'remove', path: 'members[display eq "nobody"]' }], 'noTarget'],
    [
      'after a step that was right',
      () => [
        { op: 'replace', path: 'displayName', value: 'Half' },
        { op: 'add', path: 'members', value: [{ value: nobody }] },
      ],
      'invalidValue',
    ],
    ['with its name taken away', () => [{ op: 'remove', path: 'displayName' }], 'mutability'],
    ['by a path nobody knows', () => [{ op: 'replace', path: 'color', value: 'red' }], 'invalidPath'],
  ];
  it.each(refused)('are refused %s, and nothing is changed', async (_name, operations, scimType) => {
    const { id, meta } = await scim.group('Fixed', [people[0]!]);
    const answer = await scim.patch(`/Groups/${id}`, operations());
    expect([answer.status, answer.body.scimType]).toEqual([400, scimType]);
    expect((await scim.get(`/Groups/${id}`)).body).toMatchObject({
      displayName: 'Fixed',
      members: [{ value: people[0] }],
      meta,
    });
  });

  it('are found by who asks as Entra does', async () => {
    const { id } = await scim.group('Asked', [people[0]!]);
    const found = async (filter: string) =>
      (await scim.get(`/Groups?${new URLSearchParams({ filter, attributes: 'id' })}`)).body.totalResults;
    expect(await found(`id eq "${id}" and members eq "${people[0]}"`)).toBe(1);
    expect(await found(`id eq "${id}" and members eq "${people[1]}"`)).toBe(0);
    expect(await found(`id eq "${id}" and members[display eq "person 0" and type eq "User"]`)).toBe(1);
    expect(await found('displayName eq "asked"')).toBe(1);
  });

  it('come by 64 requests at once, and none is lost', async () => {
    const { id } = await scim.group('Busy');
    const made = await scim.bulk(
      Array.from({ length: 64 }, (_, at) => ({
        ...{ method: 'POST', path: '/Users', bulkId: `${at}` },
        data: { schemas: [USER], userName: `busy${at}` },
      })),
    );
    const fresh: string[] = made.body.Operations.map(({ location }: { location: string }) =>
      location.split('/').at(-1),
    );
    const answers = await times(64, (at) =>
      scim.patch(`/Groups/${id}`, [{ op: 'add', path: 'members', value: [{ value: fresh[at] }] }]),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(64).fill(204));
    expect(await membersOf(id)).toEqual([...fresh].sort());
  });

  it('may be 100,000: one comes and goes far quicker than they are read', async () => {
    const { id } = await scim.group('Everybody');
    await cardea.sql(
      `insert into group_member (group_id, member_id, member_kind, added_at)
       select $1, gen_random_uuid(), 'user', now() from generate_series(1, 100000)`,
      [id],
    );
    const timed = async (work: () => Promise<unknown>) => {
      const started = performance.now();
      await work();
      return performance.now() - started;
    };
    const patched = async (operation: object) =>
      expect((await scim.patch(`/Groups/${id}`, [operation])).status).toBe(204);
    const patches = await timed(async () => {
      await patched({ op: 'add', path: 'members', value: [{ value: people[0] }] });
      await patched({ op: 'remove', path: `members[value eq "${people[0]}"]` });
      expect((await scim.get(`/Groups/${id}?excludedAttributes=members`)).status).toBe(200);
    });
    const reading = await timed(async () => expect(await membersOf(id)).toHaveLength(100_000));
    expect(patches).toBeLessThan(reading / 2);
  }, 60_000);
});

describe('a bulk request', () => {
  const user = (bulkId: string, userName: string, more: object = {}) => ({
    method: 'POST',
    path: '/Users',
    bulkId,
    data: { schemas: [USER], userName, ...more },
  });
  const group = (bulkId: string, displayName: string, ...members: string[]) => ({
    method: 'POST',
    path: '/Groups',
    bulkId,
    data: { schemas: [GROUP], displayName, members: members.map((value) => ({ value })) },
  });

  it('does one after the other, and puts ids where it spoke of bulkIds, whatever their order', async () => {
    const { status, body } = await scim.bulk([
      group('g', 'Bulk', 'bulkId:a', 'bulkId:b', 'bulkId:inner'),
      group('inner', 'Inner', 'bulkId:b'),
      user('a', 'bulk.a'),
      user('b', 'bulk.b'),
      {
        method: 'PATCH',
        path: '/Users/bulkId:a',
        data: { schemas: [PATCH], Operations: [{ op: 'replace', path: 'title', value: 'By bulk' }] },
      },
      {
        method: 'PUT',
        path: `/Users/${people[0]}`,
        data: { schemas: [USER], userName: 'person0', displayName: 'Person 0' },
      },
    ]);
    expect(status).toBe(200);
    expect(body.Operations.map((each: { status: string }) => each.status)).toEqual([
      '201',
      '201',
      '201',
      '201',
      '200',
      '200',
    ]);
    const idOf = (at: number) => body.Operations[at].location.split('/').at(-1);
    expect(body.Operations[2]).toMatchObject({ method: 'POST', bulkId: 'a', version: expect.stringMatching(/^W/) });
    expect(await membersOf(idOf(0))).toEqual([idOf(1), idOf(2), idOf(3)].sort());
    expect((await scim.get(`/Users/${idOf(2)}`)).body.title).toBe('By bulk');
    const gone = await scim.bulk([
      { method: 'DELETE', path: `/Groups/${idOf(0)}`, version: 'W/"999"' },
      { method: 'DELETE', path: `/Groups/${idOf(0)}` },
    ]);
    expect(gone.body.Operations.map((each: { status: string }) => each.status)).toEqual(['412', '204']);
  });

  it('makes those who refer to each other in a circle together (RFC 7644, section 3.7.1)', async () => {
    const boss = (bulkId: string) => ({
      [ENTERPRISE]: { manager: { value: `bulkId:${bulkId}` } },
      title: 'bulkId:is text',
    });
    const { body } = await scim.bulk([
      group('team', 'Team', 'bulkId:one', 'bulkId:three'),
      user('one', 'ring.one', boss('two')),
      user('two', 'ring.two', boss('three')),
      user('three', 'ring.three', { ...boss('one'), password: PASSWORD, active: false }),
      user('own', 'ring.own', boss('own')),
    ]);
    expect(body.Operations.map((each: { status: string }) => each.status)).toEqual(Array(5).fill('201'));
    const [team, ...ring] = body.Operations.map(({ location }: { location: string }) => location.split('/').at(-1));
    const managerOf = async (id: string) => (await scim.get(`/Users/${id}`)).body[ENTERPRISE].manager.value;
    expect(await Promise.all(ring.map(managerOf))).toEqual([ring[1], ring[2], ring[0], ring[3]]);
    expect(await membersOf(team)).toEqual([ring[0], ring[2]].sort());
    const { body: three, headers } = await scim.get(`/Users/${ring[2]}`);
    expect([three.active, three.meta.version]).toEqual([false, body.Operations[3].version]);
    expect(headers.get('etag')).toBe(body.Operations[3].version);
  });

  it('refuses a circle that cannot be, leaves nothing of it, and does the rest', async () => {
    const { body } = await scim.bulk([
      group('x', 'Round X', 'bulkId:y'),
      group('y', 'Round Y', 'bulkId:x'),
      group('z', 'Round Z', 'bulkId:x'),
      user('c', 'bulk.c'),
      user('m', 'ring.m', { [ENTERPRISE]: { manager: { value: 'bulkId:n' } } }),
      user('n', 'bulk.c', { [ENTERPRISE]: { manager: { value: 'bulkId:m' } } }),
    ]);
    expect(body.Operations.map((each: { status: string }) => each.status)).toEqual([
      ...['409', '409', '400', '201', '409', '409'],
    ]);
    expect(body.Operations[5].response.scimType).toBe('uniqueness');
    expect((await scim.get('/Groups?filter=displayName%20sw%20%22Round%22')).body.totalResults).toBe(0);
    expect(await scim.users('userName sw "ring.m"')).toEqual([]);
    expect((await scim.bulk([group('self', 'Self', 'bulkId:self')])).body.Operations[0].status).toBe('409');
  });

  it('with a thousand operations that all wait for the next is done in no time', async () => {
    const chain = Array.from({ length: 999 }, (_, at) => group(`${at}`, 'Chain', `bulkId:${at + 1}`, 'bulkId:999'));
    const started = performance.now();
    const { status, body } = await scim.bulk([...chain, { ...user('999', ''), data: {} }]);
    expect(status).toBe(200);
    expect(new Set(body.Operations.map((each: { status: string }) => each.status))).toEqual(new Set(['400']));
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it('tells what failed, and stops after so many errors', async () => {
    const operations = [
      user('d', 'bulk.d'),
      user('e', 'bulk.d'),
      { method: 'DELETE', path: `/Users/${nobody}` },
      user('f', 'bulk.f'),
      { method: 'PATCH', path: '/Nonsense/1', data: {} },
      group('h', 'H', 'bulkId:unheard'),
      group('i', 'I', 'bulkId:e'),
    ];
    const { body } = await scim.bulk(operations);
    expect(body.Operations.map((each: { status: string }) => each.status)).toEqual([
      '201',
      '409',
      '404',
      '201',
      '400',
      '400',
      '400',
    ]);
    expect(body.Operations[1].response).toMatchObject({ scimType: 'uniqueness', status: '409' });
    const stopped = await scim.bulk([user('j', 'bulk.d'), user('k', 'bulk.d'), user('l', 'bulk.l')], {
      failOnErrors: 2,
    });
    expect(stopped.body.Operations).toHaveLength(2);
    expect(await scim.users('userName eq "bulk.l"')).toEqual([]);
  });

  it('has a size, a count and a shape', async () => {
    expect((await scim.bulk(Array.from({ length: 1_001 }, (_, at) => user(`${at}`, `n${at}`)))).status).toBe(413);
    expect((await scim.send('POST', '/Bulk', `{"x":"${'y'.repeat(10 * 1024 * 1024)}"}`)).status).toBe(413);
    expect((await scim.send('POST', '/Bulk', { Operations: [] })).body.scimType).toBe('invalidSyntax');
    expect((await scim.bulk([{ method: 'GET', path: '/Users' }])).body.scimType).toBe('invalidSyntax');
    expect((await scim.bulk([{ method: 'POST', path: '/Users', data: {} }])).body.scimType).toBe('invalidSyntax');
    expect((await scim.bulk([user('z', 'z1'), user('z', 'z2')])).body.scimType).toBe('invalidValue');
  });
});
