import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cardea, startCardea } from '../support/cardea.ts';
import { PASSWORD } from '../support/flows.ts';
import { CARDEA, ENTERPRISE, PATCH, provisioner, type ScimClient, scimClient, USER } from '../support/scim.ts';
import { bootstrap } from '../support/seeds.ts';

// PATCH of users in every form that RFC 7644, section 3.5.2, and real senders use.

let cardea: Cardea;
let scim: ScimClient;
beforeAll(async () => {
  const directory = provisioner('directory');
  cardea = await startCardea({ bootstrap: { ...bootstrap, clients: [...bootstrap.clients, directory] } });
  scim = await scimClient(cardea, directory);
});
afterAll(async () => {
  const logs = cardea.logs();
  await cardea.stop();
  expect(logs).not.toMatch(/"level":"(error|fatal)"/);
});

let count = 0;
const start = () => {
  const name = `p${++count}`;
  return {
    userName: name,
    title: 'Old',
    name: { givenName: 'Given', familyName: 'Family' },
    emails: [
      { value: `${name}@work.example`, type: 'work', primary: true },
      { value: `${name}@home.example`, type: 'home' },
    ],
    roles: [{ value: 'first', primary: true }, { value: 'second' }],
    addresses: [
      { type: 'work', locality: 'Berlin', country: 'DE', primary: true },
      { type: 'home', locality: 'Paris' },
    ],
    [ENTERPRISE]: { department: 'Sales', costCenter: '1' },
  };
};

type Case = [name: string, operations: unknown[], expected: object];

describe('is applied', () => {
  const rfc: Case[] = [
    ['add of a single attribute', [{ op: 'add', path: 'nickName', value: 'Nick' }], { nickName: 'Nick' }],
    [
      'add without a path',
      [{ op: 'add', value: { nickName: 'Nick', emails: [{ value: 'third@x.example', type: 'other' }] } }],
      { nickName: 'Nick', emails: [{}, {}, { value: 'third@x.example', type: 'other' }] },
    ],
    [
      'add of what is there already',
      [{ op: 'add', path: 'roles', value: [{ value: 'second' }] }],
      { roles: [{ value: 'first', primary: true }, { value: 'second' }] },
    ],
    [
      'add of a new primary value, which takes it from the other',
      [{ op: 'add', path: 'roles', value: [{ value: 'third', primary: true }] }],
      { roles: [{ value: 'first', primary: false }, { value: 'second' }, { value: 'third', primary: true }] },
    ],
    [
      'add that makes what is there primary',
      [{ op: 'add', path: 'roles', value: { value: 'second', primary: true } }],
      {
        roles: [
          { value: 'first', primary: false },
          { value: 'second', primary: true },
        ],
      },
    ],
    [
      'add of parts of a complex attribute',
      [{ op: 'add', path: 'name', value: { middleName: 'M' } }],
      { name: { givenName: 'Given', familyName: 'Family', middleName: 'M' } },
    ],
    [
      'replace of a part',
      [{ op: 'replace', path: 'name.familyName', value: 'New' }],
      { name: { givenName: 'Given', familyName: 'New' } },
    ],
    [
      'replace of a complex attribute keeps the parts that are not named',
      [{ op: 'replace', path: 'name', value: { familyName: 'New' } }],
      { name: { givenName: 'Given', familyName: 'New' } },
    ],
    [
      'replace of a list',
      [{ op: 'replace', path: 'roles', value: [{ value: 'only' }] }],
      { roles: [{ value: 'only' }] },
    ],
    [
      'replace of an element',
      [
        {
          op: 'replace',
          path: 'addresses[type eq "home"]',
          value: { type: 'home', locality: 'Rome', postalCode: '1' },
        },
      ],
      { addresses: [{ locality: 'Berlin' }, { type: 'home', locality: 'Rome', postalCode: '1' }] },
    ],
    [
      'replace of a part of an element',
      [{ op: 'replace', path: 'addresses[type eq "work"].locality', value: 'Bonn' }],
      { addresses: [{ type: 'work', locality: 'Bonn', country: 'DE' }, { locality: 'Paris' }] },
    ],
    [
      'replace of a part of all elements',
      [{ op: 'replace', path: 'roles.display', value: 'D' }],
      {
        roles: [
          { value: 'first', display: 'D' },
          { value: 'second', display: 'D' },
        ],
      },
    ],
    [
      'replace without a path',
      [{ op: 'replace', value: { title: 'New', roles: [{ value: 'x' }] } }],
      { title: 'New', roles: [{ value: 'x' }] },
    ],
    ['remove of an attribute', [{ op: 'remove', path: 'title' }], { title: undefined }],
    ['remove of the name', [{ op: 'remove', path: 'name' }], { name: undefined }],
    ['remove of a part', [{ op: 'remove', path: 'name.givenName' }], { name: { familyName: 'Family' } }],
    ['remove of an element', [{ op: 'remove', path: 'emails[type eq "home"]' }], { emails: [{ type: 'work' }] }],
    [
      'remove of a part of an element',
      [{ op: 'remove', path: 'addresses[type eq "work"].country' }],
      { addresses: [{ country: undefined }, {}] },
    ],
    [
      'remove by a filter with two conditions',
      [{ op: 'remove', path: 'emails[type eq "home" and value ew "home.example"]' }],
      { emails: [{ type: 'work' }] },
    ],
    [
      'null and an empty list unassign',
      [{ op: 'replace', value: { title: null, roles: [] } }],
      { title: undefined, roles: undefined },
    ],
    [
      'operations one after the other',
      [
        { op: 'add', path: 'title', value: 'A' },
        { op: 'remove', path: 'title' },
        { op: 'add', path: 'nickName', value: 'B' },
      ],
      { title: undefined, nickName: 'B' },
    ],
    [
      'a path with its URN',
      [{ op: 'replace', path: `${USER}:name.familyName`, value: 'Urn' }],
      { name: { familyName: 'Urn' } },
    ],
    [
      'an extension’s attribute',
      [{ op: 'replace', path: `${ENTERPRISE}:department`, value: 'HR' }],
      { [ENTERPRISE]: { department: 'HR', costCenter: '1' } },
    ],
    [
      'an extension whole',
      [{ op: 'add', path: ENTERPRISE, value: { division: 'North' } }],
      { [ENTERPRISE]: { department: 'Sales', costCenter: '1', division: 'North' } },
    ],
    ['remove of an extension', [{ op: 'remove', path: ENTERPRISE }], { [ENTERPRISE]: undefined }],
  ];
  const entra: Case[] = [
    [
      'Op and Operations in capitals, "False" for false',
      [{ op: 'Replace', path: 'active', value: 'False' }],
      { active: false },
    ],
    [
      'add of an element that is not there, by its filter',
      [{ op: 'Add', path: 'emails[type eq "other"].value', value: 'o@x.example' }],
      { emails: [{}, {}, { type: 'other', value: 'o@x.example' }] },
    ],
    [
      'replace of the work address',
      [{ op: 'Replace', path: 'emails[type eq "work"].value', value: 'neu@x.example' }],
      { emails: [{ type: 'work', value: 'neu@x.example', primary: true }, {}] },
    ],
    [
      'phone numbers by type',
      [
        { op: 'Add', path: 'phoneNumbers[type eq "mobile"].value', value: '+49' },
        { op: 'Add', path: 'phoneNumbers[type eq "work"].value', value: '+50' },
      ],
      {
        phoneNumbers: [
          { type: 'mobile', value: '+49', primary: true },
          { type: 'work', value: '+50' },
        ],
      },
    ],
    [
      'a manager as a bare id',
      [{ op: 'Add', path: `${ENTERPRISE}:manager`, value: '$manager' }],
      { [ENTERPRISE]: { manager: { value: '$manager' } } },
    ],
    [
      'names with dots and URNs in a value without a path',
      [
        {
          op: 'Add',
          value: {
            'name.givenName': 'Dot',
            [`${ENTERPRISE}:department`]: 'Dept',
            [`${ENTERPRISE}:employeeNumber`]: 42,
            displayName: 'Dis',
          },
        },
      ],
      {
        name: { givenName: 'Dot', familyName: 'Family' },
        displayName: 'Dis',
        [ENTERPRISE]: { department: 'Dept', employeeNumber: '42', costCenter: '1' },
      },
    ],
    [
      'roles by a filter with "True"',
      [{ op: 'Replace', path: 'roles[primary eq "True"].display', value: 'Main' }],
      { roles: [{ value: 'first', display: 'Main' }, { value: 'second' }] },
    ],
    ['an empty text unassigns', [{ op: 'Replace', path: 'title', value: '' }], { title: undefined }],
    [
      'attributes of our extension',
      [{ op: 'Replace', path: `${CARDEA}:state`, value: 'Suspended' }],
      { active: false },
    ],
  ];
  const okta: Case[] = [
    ['replace without a path, active in an object', [{ op: 'replace', value: { active: false } }], { active: false }],
    [
      'a whole profile without a path',
      [
        {
          op: 'replace',
          value: {
            name: { givenName: 'Ok', familyName: 'Ta' },
            emails: [{ primary: true, value: 'okta@x.example', type: 'work' }],
            [ENTERPRISE]: { department: 'Okta' },
          },
        },
      ],
      {
        name: { givenName: 'Ok', familyName: 'Ta' },
        emails: [{ value: 'okta@x.example' }],
        [ENTERPRISE]: { department: 'Okta', costCenter: '1' },
      },
    ],
    [
      'an element by value',
      [{ op: 'remove', path: 'roles', value: [{ value: 'first' }] }],
      { roles: [{ value: 'second' }] },
    ],
  ];
  it.each([...rfc, ...entra, ...okta])('%s', async (_name, operations, expected) => {
    const manager = await scim.user(`boss${count}`);
    const put = (value: unknown) => JSON.parse(JSON.stringify(value).replaceAll('$manager', manager.id));
    const { userName, ...rest } = start();
    const { id } = await scim.user(userName, rest);
    const answer = await scim.patch(`/Users/${id}`, put(operations));
    expect(answer.status).toBe(200);
    const wanted = Object.entries(expected as Record<string, unknown>);
    for (const [name, value] of wanted.filter(([, value]) => value === undefined))
      expect([name, answer.body[name]]).toEqual([name, value]);
    expect(answer.body).toMatchObject(put(Object.fromEntries(wanted.filter(([, value]) => value !== undefined))));
    for (const [name, value] of wanted) if (Array.isArray(value)) expect(answer.body[name]).toHaveLength(value.length);
    expect((await scim.get(`/Users/${id}`)).body).toEqual(answer.body);
  });

  it('the address of the account follows the primary one, and a password is taken', async () => {
    const { userName, ...rest } = start();
    const { id } = await scim.user(userName, rest);
    await scim.patch(`/Users/${id}`, [
      { op: 'replace', path: 'emails[type eq "home"].primary', value: true },
      { op: 'replace', path: 'password', value: PASSWORD },
    ]);
    const [row] = await cardea.sql<object>(
      'select email, email_verified_at is not null as verified from user_account where id = $1',
      [id],
    );
    expect(row).toEqual({ email: `${userName}@home.example`, verified: true });
    expect(await cardea.sql('select 1 from password where user_id = $1', [id])).toHaveLength(1);
    await scim.patch(`/Users/${id}`, [{ op: 'remove', path: 'emails' }]);
    const [none] = await cardea.sql<object>('select email from user_account where id = $1', [id]);
    expect(none).toEqual({ email: null });
  });
});

describe('is refused, and nothing is changed', () => {
  const cases: [string, unknown, string, number?][] = [
    ['no operations', [], 'invalidSyntax'],
    ['an op nobody knows', [{ op: 'increment', path: 'title', value: 1 }], 'invalidSyntax'],
    ['an operation that is no object', ['x'], 'invalidSyntax'],
    ['a path nobody knows', [{ op: 'replace', path: 'shoeSize', value: '43' }], 'invalidPath'],
    ['a name nobody knows, without a path', [{ op: 'replace', value: { shoeSize: '43' } }], 'invalidPath'],
    ['a part nobody knows', [{ op: 'replace', path: 'name.shoeSize', value: '43' }], 'invalidPath'],
    ['a path that does not end', [{ op: 'replace', path: 'emails[type eq "work"', value: {} }], 'invalidPath'],
    ['a filter on what is single', [{ op: 'replace', path: 'title[value eq "x"]', value: 'y' }], 'invalidPath'],
    [
      'a filter nested 1,000 deep',
      [{ op: 'remove', path: `emails[${'('.repeat(1_000)}type pr${')'.repeat(1_000)}]` }],
      'invalidPath',
    ],
    ['remove without a path', [{ op: 'remove' }], 'noTarget'],
    [
      'replace of an element that is not there',
      [{ op: 'replace', path: 'emails[type eq "pager"].value', value: 'a@b.cd' }],
      'noTarget',
    ],
    ['remove of an element that is not there', [{ op: 'remove', path: 'emails[type eq "pager"]' }], 'noTarget'],
    ['remove of the user name', [{ op: 'remove', path: 'userName' }], 'mutability'],
    ['a user name that is nothing', [{ op: 'replace', path: 'userName', value: '' }], 'mutability'],
    ['the id', [{ op: 'replace', path: 'id', value: 'x' }], 'mutability'],
    ['the groups', [{ op: 'add', path: 'groups', value: [{ value: 'x' }] }], 'mutability'],
    ['what is only told', [{ op: 'replace', path: `${CARDEA}:emailVerified`, value: true }], 'mutability'],
    ['a text for an object', [{ op: 'replace', value: 'title' }], 'invalidValue'],
    ['a number for a truth', [{ op: 'replace', path: 'active', value: 1 }], 'invalidValue'],
    ['no value', [{ op: 'replace', path: 'title' }], 'invalidValue'],
    ['an object for a text', [{ op: 'replace', path: 'title', value: { a: 1 } }], 'invalidValue'],
    [
      'an address that is none',
      [{ op: 'replace', path: 'emails[type eq "work"].value', value: 'nonsense' }],
      'invalidValue',
    ],
    [
      'one that is right before one that is wrong',
      [
        { op: 'replace', path: 'title', value: 'Half' },
        { op: 'replace', path: 'shoeSize', value: '1' },
      ],
      'invalidPath',
    ],
    ['the user name of another', [{ op: 'replace', path: 'userName', value: 'TAKEN' }], 'uniqueness', 409],
    [
      'the address of another',
      [{ op: 'replace', path: 'emails[type eq "work"].value', value: 'ada@example.com' }],
      'uniqueness',
      409,
    ],
    ['a weak password', [{ op: 'replace', path: 'password', value: '123' }], 'invalidValue'],
    ['a prototype', [{ op: 'replace', path: '__proto__', value: { admin: true } }], 'invalidPath'],
  ];
  let id: string;
  let before: object;
  beforeAll(async () => {
    await scim.user('taken');
    const { userName, ...rest } = start();
    ({ id, ...before } = await scim.user(userName, rest));
  });
  it.each(cases)('%s', async (_name, operations, scimType, status = 400) => {
    const answer = await scim.send('PATCH', `/Users/${id}`, { schemas: [PATCH], Operations: operations });
    expect([answer.status, answer.body.scimType]).toEqual([status, scimType]);
    expect((await scim.get(`/Users/${id}`)).body).toEqual({ id, ...before });
  });

  it('without its schema', async () => {
    const { body } = await scim.send('PATCH', `/Users/${id}`, { Operations: [{ op: 'remove', path: 'title' }] });
    expect(body.scimType).toBe('invalidSyntax');
  });
});
