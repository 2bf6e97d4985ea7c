import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { times } from '../support/token-client.ts';
import { type Answer, type ApiStage, apiStage, type CallOptions } from './stage.ts';

// Groups, roles, organisations and custom fields, managed from outside.

let stage: ApiStage;
// biome-ignore lint/suspicious/noExplicitAny: what a test reads it knows
let call: (method: string, path: string, options?: CallOptions) => Promise<Answer<any>>;
beforeAll(async () => {
  stage = await apiStage();
  call = stage.call;
});
afterAll(() => stage?.stop());

const nobody = '0192f000-0000-7000-8000-0000000000ff';
const made = async (path: string, body: object) => {
  const answer = await call('POST', path, { body });
  expect([path, answer.status, answer.body]).toEqual([path, 201, expect.objectContaining({})]);
  return answer.body;
};

describe('a group', () => {
  it('is added, renamed under its ETag, filled and removed', async () => {
    const { ids } = stage;
    const first = await call('POST', '/admin/groups', { body: { display_name: 'Crew', members: [ids.ada] } });
    expect(first).toMatchObject({ status: 201, body: { display_name: 'Crew', organisation: null } });
    const path = first.headers.get('location')!.replace('/api', '');
    const etag = (await call('GET', path)).headers.get('etag')!;
    const renames = await times(16, (n) =>
      call('PATCH', path, { headers: { 'if-match': etag }, body: { display_name: `Crew ${n}` } }),
    );
    expect(renames.map(({ status }) => status).toSorted()).toEqual([200, ...Array(15).fill(412)]);

    const inner = await made('/admin/groups', { display_name: 'Inner' });
    const change = { add: [ids.grace, inner.id], remove: [ids.ada] };
    expect((await call('POST', `${path}/members`, { body: change })).body).toEqual({ added: 2, removed: 1 });
    expect((await call('PUT', `/admin/groups/${inner.id}/members/${ids.admin}`)).status).toBe(204);
    const members = (await call('GET', `${path}/members?limit=1`)).body;
    const rest = (await call('GET', `${path}/members?cursor=${encodeURIComponent(members.next)}`)).body;
    expect(new Set([...members.items, ...rest.items].map(({ id }) => id))).toEqual(new Set([ids.grace, inner.id]));
    expect((await call('GET', `/users/${ids.admin}/memberships`)).body.groups.map((g: { id: string }) => g.id)).toEqual(
      expect.arrayContaining([first.body.id, inner.id]),
    );
    expect((await call('GET', `/admin/groups?name=crew`)).body.items).toHaveLength(1);
    expect((await call('DELETE', `${path}/members/${ids.grace}`)).status).toBe(204);
    expect((await call('DELETE', path, { headers: { 'if-match': etag } })).status).toBe(412);
    expect((await call('DELETE', path)).status).toBe(204);
    expect((await call('GET', path)).body.code).toBe('group.unknown');
  });

  it('is not made of what there is not, and not inside itself', async () => {
    const outer = await made('/admin/groups', { display_name: 'Outer' });
    const inner = await made('/admin/groups', { display_name: 'Inner' });
    await call('PUT', `/admin/groups/${outer.id}/members/${inner.id}`);
    const circle = await call('PUT', `/admin/groups/${inner.id}/members/${outer.id}`);
    expect(circle).toMatchObject({ status: 400, body: { code: 'group.cycle' } });
    const unknown = await call('POST', `/admin/groups/${outer.id}/members`, { body: { add: [nobody] } });
    expect(unknown).toMatchObject({ status: 400, body: { code: 'group.member_unknown', members: [nobody] } });
    expect(await call('POST', '/admin/groups', { body: { display_name: 'x', organisation: nobody } })).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/organisation', code: 'unknown' }] },
    });
    expect((await call('POST', '/admin/groups', { body: { display_name: ' ' } })).body.code).toBe(
      'group.name_malformed',
    );
  });

  it('of two that nest each other at once one wins', async () => {
    const pair = [
      await made('/admin/groups', { display_name: 'A' }),
      await made('/admin/groups', { display_name: 'B' }),
    ];
    const answers = await times(16, (n) =>
      call('PUT', `/admin/groups/${pair[n % 2].id}/members/${pair[(n + 1) % 2].id}`),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([204, 400]));
  });

  it('is filled by many people at once only by who may change groups', async () => {
    const { id: group } = await made('/admin/groups', { display_name: 'Powers' });
    const body = { action: { do: 'add_to_group', group }, ids: [stage.ids.ada] };
    const refused = await call('POST', '/admin/users/bulk', { body, token: stage.tokens.other });
    expect(refused).toMatchObject({
      status: 403,
      body: { code: 'token.insufficient_scope', scopes: ['directory.write'] },
    });
  });
});

describe('a role', () => {
  it('collects permissions and is given to people and groups', async () => {
    const { ids, tokens } = stage;
    expect((await call('PUT', '/admin/permissions/orders:refund', { body: { description: 'Refund' } })).body).toEqual({
      name: 'orders:refund',
      description: 'Refund',
    });
    expect((await call('PUT', '/admin/permissions/orders:read')).status).toBe(200);
    const role = await made('/admin/roles', {
      name: 'Clerk',
      scope: 'installation',
      permissions: ['orders:refund', 'orders:read'],
    });
    expect((await call('POST', '/admin/roles', { body: { name: 'Clerk', scope: 'installation' } })).body.code).toBe(
      'role.exists',
    );
    expect(
      (await call('POST', '/admin/roles', { body: { name: 'X', scope: 'installation', permissions: ['nope'] } })).body
        .errors,
    ).toMatchObject([{ pointer: '/permissions/0', code: 'unknown' }]);

    const { id: group } = await made('/admin/groups', { display_name: 'Clerks', members: [ids.ada] });
    expect((await call('PUT', `/admin/roles/${role.id}/groups/${group}`)).status).toBe(204);
    expect((await call('PUT', `/admin/roles/${role.id}/users/${ids.grace}`)).status).toBe(204);
    expect((await call('PUT', `/admin/roles/${role.id}/users/${nobody}`)).body.code).toBe('role.subject_unknown');
    expect((await call('GET', `/admin/roles/${role.id}/subjects`)).body.items).toHaveLength(2);
    for (const token of [tokens.ada, tokens.grace]) {
      expect((await call('GET', '/users/me/memberships', { token })).body).toMatchObject({
        roles: ['Clerk'],
        permissions: ['orders:read', 'orders:refund'],
      });
    }

    const { headers } = await call('GET', `/admin/roles/${role.id}`);
    const change = { headers: { 'if-match': headers.get('etag')! }, body: { permissions: ['orders:read'] } };
    expect((await call('PATCH', `/admin/roles/${role.id}`, change)).body.permissions).toEqual(['orders:read']);
    expect((await call('PATCH', `/admin/roles/${role.id}`, change)).status).toBe(412);
    expect((await call('DELETE', `/admin/roles/${role.id}/users/${ids.grace}`)).status).toBe(204);
    expect((await call('GET', `/users/${ids.grace}/memberships`)).body.roles).toEqual([]);
    expect((await call('DELETE', '/admin/permissions/orders:read')).status).toBe(204);
    expect((await call('GET', `/admin/roles/${role.id}`)).body.permissions).toEqual([]);
    expect((await call('DELETE', `/admin/roles/${role.id}`)).status).toBe(204);
    expect((await call('GET', `/admin/roles/${role.id}`)).body.code).toBe('role.unknown');
  });

  it('of 64 of one name made at once is one', async () => {
    const answers = await times(64, () =>
      call('POST', '/admin/roles', { body: { name: 'One', scope: 'installation' } }),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, ...Array(63).fill(409)]);
  });
});

describe('an organisation', () => {
  it('has members with roles, invitations, domains and a policy', async () => {
    const { ids, cardea } = stage;
    const first = await call('POST', '/admin/organisations', { body: { name: 'acme', display_name: 'Acme' } });
    expect(first).toMatchObject({ status: 201, body: { name: 'acme', policy: { mfa: false, providers: [] } } });
    const path = `/admin/organisations/${first.body.id}`;
    expect((await call('POST', '/admin/organisations', { body: { name: 'acme' } })).body.code).toBe(
      'organisation.exists',
    );
    const etag = first.headers.get('etag')!;
    const stricter = { headers: { 'if-match': etag }, body: { policy: { mfa: true, methods: ['passkey'] } } };
    expect((await call('PATCH', path, stricter)).body.policy).toMatchObject({ mfa: true, methods: ['passkey'] });
    expect((await call('PATCH', path, stricter)).status).toBe(412);

    await made('/admin/roles', { name: 'Owner', scope: 'organisation' });
    const joined = await call('PUT', `${path}/members/${ids.ada}`, { body: { roles: ['Owner'] } });
    expect(joined).toMatchObject({ status: 201, body: { id: ids.ada, roles: ['Owner'] } });
    expect((await call('PUT', `${path}/members/${ids.ada}`)).body.roles).toEqual(['Owner']);
    expect((await call('PUT', `${path}/members/${ids.ada}`, { body: { roles: [] } })).body.roles).toEqual([]);
    expect((await call('PUT', `${path}/members/${ids.ada}`, { body: { roles: ['Nope'] } })).body.errors).toMatchObject([
      { pointer: '/roles/0', code: 'unknown' },
    ]);
    expect((await call('PUT', `${path}/members/${nobody}`)).body.code).toBe('user.unknown');
    expect((await call('GET', `${path}/members`)).body.items).toMatchObject([{ id: ids.ada }]);
    expect((await call('GET', `/users/${ids.ada}/memberships`)).body.organisations).toMatchObject([{ name: 'acme' }]);

    const invited = await call('POST', `${path}/invitations`, { body: { email: 'guest@elsewhere.example' } });
    expect(invited.status).toBe(201);
    expect((await cardea.mailbox.next('guest@elsewhere.example')).letter).toBe('organisation-invitation');
    expect((await call('GET', `${path}/invitations`)).body.items).toMatchObject([{ id: invited.body.id }]);
    expect((await call('DELETE', `${path}/invitations/${invited.body.id}`)).status).toBe(204);
    expect((await call('DELETE', `${path}/invitations/${invited.body.id}`)).body.code).toBe('invitation.unknown');

    const claimed = (await call('PUT', `${path}/domains/Acme.Example`)).body;
    expect(claimed).toMatchObject({
      domain: 'acme.example',
      proved_at: null,
      record: { name: '_cardea-challenge.acme.example', type: 'TXT' },
    });
    expect((await call('PUT', `${path}/domains/127.0.0.1`)).body.code).toBe('domain.malformed');
    expect((await call('POST', `${path}/domains/acme.example/vouch`)).body.code).toBe('caller.not_in_person');
    expect((await call('DELETE', `${path}/domains/acme.example`)).status).toBe(204);
    expect((await call('GET', `${path}/domains`)).body.items).toEqual([]);

    expect((await call('DELETE', `${path}/members/${ids.ada}`)).status).toBe(204);
    expect((await call('DELETE', `${path}/members/${ids.ada}`)).body.code).toBe('organisation.member_unknown');
    expect((await call('DELETE', path)).status).toBe(204);
    expect((await call('GET', `${path}/members`)).body.code).toBe('organisation.unknown');
  });
});

describe('a custom field', () => {
  const field = { label: { en: 'Cost centre' }, type: 'string', searchable: true, pattern: '[A-Z]{2}[0-9]+' } as const;

  it('is declared, filled in, searched, changed under its ETag and removed', async () => {
    const { ids } = stage;
    const path = '/admin/fields/cost_centre';
    const body = { ...field, read: ['user', 'users.read'], write: ['users.write'] };
    const first = await call('PUT', path, { body });
    expect(first).toMatchObject({ status: 201, body: { name: 'cost_centre', required: false } });
    const bad = await call('PATCH', `/users/${ids.ada}`, { body: { attributes: { cost_centre: 'x' } } });
    expect(bad.body.errors).toMatchObject([{ pointer: '/attributes/cost_centre', code: 'malformed' }]);
    expect((await call('PATCH', `/users/${ids.ada}`, { body: { attributes: { cost_centre: 'AB1' } } })).status).toBe(
      200,
    );
    const found = (await call('GET', `/admin/users?${new URLSearchParams({ 'attributes[cost_centre]': 'ab*' })}`)).body;
    expect(found.items).toMatchObject([{ id: ids.ada, attributes: { cost_centre: 'AB1' } }]);

    const etag = first.headers.get('etag')!;
    const wider = { headers: { 'if-match': etag }, body: { ...body, label: { en: 'Cost center' } } };
    expect((await call('PUT', path, wider)).body.label).toEqual({ en: 'Cost center' });
    expect((await call('PUT', path, wider)).status).toBe(412);
    expect((await call('PUT', path, { body: { ...body, type: 'integer', pattern: undefined } })).body.code).toBe(
      'field.type_fixed',
    );
    expect((await call('PUT', '/admin/fields/again', { body: { ...body, pattern: '(a+)+(' } })).body).toMatchObject({
      code: 'field.malformed',
      faults: [expect.stringMatching(/^pattern/)],
    });
    expect(
      (await call('PUT', '/admin/fields/sub', { body: { ...body, claim: { name: 'sub', scope: 'x' } } })).status,
    ).toBe(400);
    expect((await call('GET', '/admin/fields')).body.items).toHaveLength(1);
    expect((await call('DELETE', path)).status).toBe(204);
    expect((await call('GET', path)).body.code).toBe('field.unknown');
    expect((await call('GET', `/users/${ids.ada}`)).body.attributes).toEqual({});
  });
});

describe('the proof of an identity', () => {
  it('is told by a service, found by, and told in the history', async () => {
    const { ids, tokens } = stage;
    const path = `/users/${ids.grace}/identity`;
    expect((await call('GET', path)).body).toEqual({ status: 'none', changed_at: null });
    const body = { status: 'verified', reason: 'passport' };
    expect((await call('PUT', path, { body })).body).toMatchObject({ status: 'verified' });
    expect((await call('PUT', path, { body: { status: 'maybe' } })).status).toBe(400);
    expect((await call('GET', '/admin/users?identity_status=verified')).body.items).toMatchObject([{ id: ids.grace }]);
    const own = (await call('GET', '/users/me/audit?type=user.identity_status_changed', { token: tokens.grace })).body;
    expect(own.items).toMatchObject([{ actor: { kind: 'client' }, ip: null, reason: null, data: { to: 'verified' } }]);
    const told = (await call('GET', `/users/${ids.grace}/audit?type=user.identity_status_changed`)).body;
    expect(told.items).toMatchObject([{ actor: { kind: 'client', id: 'api-writer' }, reason: 'passport' }]);
    expect((await call('PATCH', '/users/me', { token: tokens.grace, body: { identity_status: 'none' } })).status).toBe(
      400,
    );
  });
});
