import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clients } from '../support/seeds.ts';
import { tokenClient } from '../support/token-client.ts';
import { ADMIN, type ApiStage, apiStage } from './stage.ts';

// What a person may do, as services ask; and how far who manages one organisation gets, and no further.

let stage: ApiStage;
/** Ada manages acme, and is nothing in globex. */
let manager: string;
let acme: string;
let globex: string;
const role: Record<string, string> = {};

const call = (...args: Parameters<ApiStage['call']>) => stage.call(...args);
const made = async (path: string, body: unknown) => {
  const answer = await call('POST', path, { body });
  expect([path, answer.status, answer.body]).toEqual([path, 201, expect.anything()]);
  return answer.body.id as string;
};
const asManager = (method: string, path: string, body?: unknown) => call(method, path, { token: manager, body });

beforeAll(async () => {
  stage = await apiStage();
  for (const name of ['orders:read', 'orders:refund']) {
    expect((await call('PUT', `/admin/permissions/${name}`, { body: {} })).status).toBe(200);
  }
  const roles = {
    manager: ['organisation.manage', 'orders:read'],
    reader: ['orders:read'],
    refunder: ['orders:refund'],
  };
  for (const [name, permissions] of Object.entries(roles)) {
    role[name] = await made('/admin/roles', { name, scope: 'organisation', permissions });
  }
  role.desk = await made('/admin/roles', { name: 'desk', scope: 'installation', permissions: ['orders:refund'] });
  acme = await made('/admin/organisations', { name: 'acme', display_name: 'Acme' });
  globex = await made('/admin/organisations', { name: 'globex' });
  const { ada, grace } = stage.ids;
  await call('PUT', `/admin/organisations/${acme}/members/${ada}`, { body: { roles: ['manager'] } });
  await call('PUT', `/admin/organisations/${acme}/members/${grace}`, { body: { roles: ['reader'] } });
  await call('PUT', `/admin/organisations/${globex}/members/${grace}`, { body: { roles: ['refunder'] } });
  manager = await stage.signedIn('ada@example.com', 'organisations.manage');
});
afterAll(() => stage?.stop());

describe('roles', () => {
  it('come by groups in groups, are asked about, and are gone at the moment they are taken', async () => {
    const { grace, ada } = stage.ids;
    const inner = await made('/admin/groups', { display_name: 'inner', members: [grace] });
    const outer = await made('/admin/groups', { display_name: 'outer', members: [inner] });
    const question = `/users/${grace}/access?permission=orders:refund`;
    expect((await call('GET', question)).body).toMatchObject({ allowed: false, roles: [] });
    expect((await call('PUT', `/admin/roles/${role.desk}/groups/${outer}`)).status).toBe(204);
    expect((await call('GET', question)).body).toMatchObject({ active: true, allowed: true, roles: ['desk'] });
    expect((await call('GET', `/admin/roles/${role.desk}/subjects`)).body.items).toEqual([
      { kind: 'group', id: outer },
    ]);
    expect((await call('GET', `/users/${grace}/groups`)).body.items).toHaveLength(2);

    const circle = await call('POST', `/admin/groups/${inner}/members`, { body: { add: [outer] } });
    expect(circle).toMatchObject({ status: 400, body: { code: 'group.cycle' } });
    const both = { add: [ada], remove: [grace] };
    expect((await call('POST', `/admin/groups/${inner}/members`, { body: both })).body).toEqual({
      added: 1,
      removed: 1,
    });
    expect((await call('GET', question)).body).toMatchObject({ allowed: false });

    expect((await call('PUT', `/admin/roles/${role.desk}/users/${grace}`)).status).toBe(204);
    expect((await call('GET', question)).body.allowed).toBe(true);
    const less = await call('PATCH', `/admin/roles/${role.desk}`, { body: { permissions: [] } });
    expect(less.body).toMatchObject({ name: 'desk', permissions: [] });
    expect((await call('GET', question)).body.allowed).toBe(false);
    await call('PATCH', `/admin/roles/${role.desk}`, { body: { permissions: ['orders:refund'] } });

    await call('POST', `/users/${grace}/suspend`);
    expect((await call('GET', question)).body).toMatchObject({ active: false, allowed: false, permissions: [] });
    await call('POST', `/users/${grace}/reactivate`);
    expect((await call('DELETE', `/admin/roles/${role.desk}/users/${grace}`)).status).toBe(204);
    expect((await call('DELETE', `/admin/groups/${outer}`)).status).toBe(204);
    expect((await call('GET', `/admin/roles/${role.desk}/subjects`)).body.items).toEqual([]);
  });

  it('of an organisation are asked about there, and are nothing elsewhere', async () => {
    const { grace } = stage.ids;
    const at = async (organisation: string) =>
      (await call('GET', `/users/${grace}/access?permission=orders:refund&organisation=${organisation}`)).body;
    expect(await at(globex)).toMatchObject({ allowed: true, organisation: { id: globex, roles: ['refunder'] } });
    expect(await at(acme)).toMatchObject({ allowed: false, organisation: { id: acme, roles: ['reader'] } });
    expect(await at(stage.ids.ada)).toMatchObject({ allowed: false, organisation: null });
  });
});

describe('who manages an organisation', () => {
  it('sees its members, invites, and says how its people sign in', async () => {
    const { body } = await asManager('GET', `/admin/organisations/${acme}/members`);
    expect(body.items).toMatchObject([
      { email: 'ada@example.com', roles: ['manager'] },
      { email: 'grace@example.com', roles: ['reader'] },
    ]);
    const invited = await asManager('POST', `/admin/organisations/${acme}/invitations`, {
      email: 'new@acme.example',
      roles: ['reader'],
    });
    expect(invited).toMatchObject({ status: 201, body: { invited_by: stage.ids.ada } });
    const letter = await stage.cardea.mailbox.next('new@acme.example', 'organisation-invitation');
    expect(letter.text).toContain('Acme');
    const taken = `/admin/organisations/${acme}/invitations/${invited.body.id}`;
    expect((await asManager('DELETE', taken)).status).toBe(204);
    expect((await asManager('DELETE', taken)).status).toBe(404);
    expect((await asManager('PATCH', `/admin/organisations/${acme}`, { policy: { mfa: false } })).status).toBe(200);
    expect((await asManager('PUT', `/admin/organisations/${acme}/domains/acme.example`)).body).toMatchObject({
      record: { name: '_cardea-challenge.acme.example', type: 'TXT' },
      proved_at: null,
    });
  });

  it('is in the journal by name', async () => {
    const rows = await stage.cardea.sql<{ actor_kind: string; actor_id: string }>(
      `select actor_kind, actor_id from audit_event where type = 'organisation.invited' order by at desc limit 1`,
    );
    expect(rows).toEqual([{ actor_kind: 'user', actor_id: stage.ids.ada }]);
  });

  it('reaches nothing of another organisation, whatever number stands in the address', async () => {
    const { grace } = stage.ids;
    const theirs = await call('POST', `/admin/organisations/${globex}/invitations`, {
      body: { email: 'x@globex.example' },
    });
    const before = JSON.stringify((await call('GET', `/admin/organisations/${globex}/members`)).body);
    for (const [method, path, body] of [
      ['GET', ''],
      ['PATCH', '', { display_name: 'Mine' }],
      ['GET', '/members'],
      ['PUT', `/members/${grace}`, { roles: [] }],
      ['PUT', `/members/${stage.ids.ada}`, { roles: ['reader'] }],
      ['DELETE', `/members/${grace}`],
      ['GET', '/invitations'],
      ['POST', '/invitations', { email: 'ada@example.com' }],
      ['DELETE', `/invitations/${theirs.body.id}`],
      ['GET', '/domains'],
      ['PUT', '/domains/globex.example'],
      ['POST', '/domains/globex.example/prove'],
      ['DELETE', '/domains/globex.example'],
    ] as const) {
      const answer = await asManager(method, `/admin/organisations/${globex}${path}`, body);
      expect([method, path, answer.status, answer.body.code]).toEqual([method, path, 404, 'organisation.unknown']);
    }
    // The invitation of another organisation by the address of one's own.
    const crossed = await asManager('DELETE', `/admin/organisations/${acme}/invitations/${theirs.body.id}`);
    expect(crossed.status).toBe(404);
    expect(JSON.stringify((await call('GET', `/admin/organisations/${globex}/members`)).body)).toBe(before);
    expect((await call('GET', `/admin/organisations/${globex}/invitations`)).body.items).toHaveLength(1);
  });

  it('gives, takes and offers no role that may do more than they may', async () => {
    const { ada, grace } = stage.ids;
    for (const [method, path, body] of [
      ['PUT', `/members/${grace}`, { roles: ['reader', 'refunder'] }],
      ['PUT', `/members/${ada}`, { roles: ['manager', 'refunder'] }],
      ['POST', '/invitations', { email: 'friend@example.com', roles: ['refunder'] }],
    ] as const) {
      const answer = await asManager(method, `/admin/organisations/${acme}${path}`, body);
      expect([path, answer.status, answer.body.code]).toEqual([path, 403, 'role.not_held']);
    }
    await call('PUT', `/admin/organisations/${acme}/members/${grace}`, { body: { roles: ['refunder'] } });
    expect((await asManager('PUT', `/admin/organisations/${acme}/members/${grace}`, { roles: [] })).status).toBe(403);
    expect((await asManager('DELETE', `/admin/organisations/${acme}/members/${grace}`)).status).toBe(403);
    await call('PUT', `/admin/organisations/${acme}/members/${grace}`, { body: { roles: ['reader'] } });
    expect((await asManager('PUT', `/admin/organisations/${acme}/members/${grace}`, { roles: [] })).status).toBe(200);
  });

  it('is not named to the members in their history, nor from where it was', async () => {
    const { grace } = stage.ids;
    const path = `/admin/organisations/${acme}/members/${grace}`;
    await call('PUT', path, { body: { roles: ['reader'] } });
    expect((await asManager('PUT', path, { roles: [] })).status).toBe(200);
    const query = 'audit?type=organisation.member_changed&limit=1';
    const whole = (await call('GET', `/users/${grace}/${query}`)).body.items[0];
    expect(whole).toMatchObject({ actor: { id: stage.ids.ada }, ip: expect.any(String) });
    const token = await stage.signedIn('grace@example.com', 'account.read');
    const own = (await call('GET', `/users/me/${query}`, { token })).body.items[0];
    expect(own).toEqual({ ...whole, actor: { kind: whole.actor.kind }, ip: null, user_agent: null, reason: null });
  });

  it('takes nobody in who did not accept, renames nothing, and says not whose word is taken', async () => {
    const { admin } = stage.ids;
    const forced = await asManager('PUT', `/admin/organisations/${acme}/members/${admin}`, { roles: [] });
    expect(forced).toMatchObject({ status: 404, body: { code: 'organisation.member_unknown' } });
    for (const body of [{ name: 'other' }, { policy: { providers: ['evil'] } }]) {
      const answer = await asManager('PATCH', `/admin/organisations/${acme}`, body);
      expect(answer).toMatchObject({ status: 400, body: { errors: [{ code: 'read_only' }] } });
    }
    expect((await asManager('DELETE', `/admin/organisations/${acme}`)).status).toBe(403);
    expect((await asManager('GET', '/admin/organisations')).status).toBe(403);
    expect((await asManager('GET', '/admin/roles')).status).toBe(403);
    expect((await asManager('GET', '/admin/fields')).status).toBe(403);
  });

  it('ceases to at the moment the role is taken, whatever the token says', async () => {
    const path = `/admin/organisations/${acme}/members/${stage.ids.ada}`;
    await call('PUT', path, { body: { roles: ['reader'] } });
    expect(await asManager('GET', `/admin/organisations/${acme}/members`)).toMatchObject({
      status: 403,
      body: { code: 'organisation.not_manager' },
    });
    await call('PUT', path, { body: { roles: ['manager'] } });
    expect((await asManager('GET', `/admin/organisations/${acme}/members`)).status).toBe(200);
  });

  it('is an administrator, too, where their token says so', async () => {
    const token = await stage.signedIn(ADMIN.email, 'directory.read');
    expect((await call('GET', `/admin/organisations/${acme}/members`, { token })).status).toBe(200);
    expect((await call('DELETE', `/admin/organisations/${acme}`, { token })).status).toBe(403);
  });
});

describe('one’s own', () => {
  it('groups are read with a token for userinfo, where the claim leads, and with no other', async () => {
    const web = tokenClient(stage.cardea.issuer, clients.web);
    const read = async (scope: string) => {
      const { access_token } = await web.signIn({ email: 'ada@example.com', parameters: { scope } });
      return call('GET', '/users/me/groups', { token: access_token });
    };
    expect(await read('openid groups')).toMatchObject({ status: 200, body: { items: [{ display_name: 'inner' }] } });
    expect((await read('openid profile')).status).toBe(401);
    const { access_token } = await web.signIn({ email: 'ada@example.com', parameters: { scope: 'openid groups' } });
    expect((await call('GET', '/users/me', { token: access_token })).status).toBe(401);
  });
});
