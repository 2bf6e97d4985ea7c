import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPerson } from '../support/seeds.ts';
import { times } from '../support/token-client.ts';
import { type ApiStage, apiStage } from './stage.ts';

let stage: ApiStage;
beforeAll(async () => {
  stage = await apiStage();
});
afterAll(() => stage?.stop());

describe('a person', () => {
  it('is read, with an ETag that spares the next reading', async () => {
    const { call, ids, tokens } = stage;
    const first = await call('GET', `/users/${ids.ada}`, { token: tokens.reader });
    expect(first).toMatchObject({
      status: 200,
      body: { id: ids.ada, state: 'Active', email: 'ada@example.com', name: 'Ada Lovelace', administrator: false },
    });
    const etag = first.headers.get('etag')!;
    const again = await call('GET', `/users/${ids.ada}`, { token: tokens.reader, headers: { 'if-none-match': etag } });
    expect(again).toMatchObject({ status: 304, body: '' });
    const me = await call('GET', '/users/me', { token: tokens.ada });
    expect(me.body).toEqual(first.body);
  });

  it('is changed by a merge patch, and back again by a replacement', async () => {
    const { call, ids } = stage;
    const path = `/users/${ids.grace}`;
    const address = { locality: 'Berlin', country: 'DE' };
    const patched = await call('PATCH', path, {
      body: { nickname: 'Amazing', address, phone_number: '+4930123456', phone_number_verified: true },
    });
    expect(patched).toMatchObject({ status: 200, body: { nickname: 'Amazing', address, phone_number_verified: true } });
    const merged = await call('PATCH', path, {
      headers: { 'content-type': 'application/merge-patch+json' },
      body: { address: { country: null, region: 'BE' }, nickname: null, phone_number: '+4930123457' },
    });
    expect(merged.body).toMatchObject({
      nickname: null,
      address: { locality: 'Berlin', region: 'BE' },
      phone_number_verified: false,
      name: 'Grace Hopper',
    });
    const { body, headers } = await call('GET', path);
    const whole = { ...body, nickname: 'Amazing', address: undefined, phone_number: undefined };
    const replaced = await call('PUT', path, { headers: { 'if-match': headers.get('etag')! }, body: whole });
    expect(replaced.body).toMatchObject({
      nickname: 'Amazing',
      address: null,
      phone_number: null,
      name: 'Grace Hopper',
    });
  });

  it('hears at the old address of another one, whoever gave it, and can take it back there', async () => {
    const { call, cardea } = stage;
    const idOf = async (email: string) =>
      (await cardea.sql<{ id: string }>('select id from user_account where email = $1', [email]))[0]!.id;
    const change = async (id: string, body: object) =>
      expect((await call('PATCH', `/users/${id}`, { body })).status).toBe(200);
    const [former, wrong] = ['change.0@example.com', 'change.1@example.com'];
    const id = await idOf(former);
    await change(id, { email: 'latter@example.com', email_verified: true });
    const { link } = await cardea.mailbox.next(former, 'address-changed');
    const reader = createPerson();
    const page = await reader.open(link);
    expect(page.text).toContain(former);
    expect((await reader.submit(page)).text).toContain('The account is yours again');
    expect((await call('GET', `/users/${id}`)).body).toMatchObject({ email: former });
    // One that nobody has proved is only put right.
    const other = await idOf(wrong);
    await change(other, { email_verified: false });
    await change(other, { email: 'put.right@example.com' });
    expect(await cardea.sql(`select 1 from email_undo where account_id = $1`, [other])).toEqual([]);
  });

  it('is not replaced unseen, and not by what changes what cannot be changed', async () => {
    const { call, ids } = stage;
    const path = `/users/${ids.grace}`;
    const { body, headers } = await call('GET', path);
    expect(await call('PUT', path, { body })).toMatchObject({
      status: 428,
      body: { code: 'request.precondition_required' },
    });
    const stale = await call('PUT', path, { headers: { 'if-match': '"1"' }, body });
    expect(stale).toMatchObject({ status: 412, body: { code: 'request.precondition_failed' } });
    const refused = await call('PUT', path, {
      headers: { 'if-match': headers.get('etag')! },
      body: { ...body, state: 'Deleted', administrator: true },
    });
    expect(refused).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/state', code: 'read_only' }, { pointer: '/administrator' }] },
    });
  });

  it('of two changes made from one ETag one wins', async () => {
    const { call, ids } = stage;
    const path = `/users/${ids.grace}`;
    const etag = (await call('GET', path)).headers.get('etag')!;
    const answers = await times(16, (n) =>
      call('PATCH', path, { headers: { 'if-match': etag }, body: { nickname: `winner ${n}` } }),
    );
    expect(answers.filter(({ status }) => ![200, 412].includes(status))).toEqual([]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array(15).fill(412)]);
    const won = answers.find(({ status }) => status === 200)!;
    expect((await call('GET', path)).body).toEqual(won.body);
  });

  it('is suspended, let go on, deleted and recovered, and holds nothing meanwhile', async () => {
    const { call, ids, tokens } = stage;
    const path = `/users/${ids.grace}`;
    const suspended = await call('POST', `${path}/suspend`, { body: { reason: 'on leave' } });
    expect(suspended.body).toMatchObject({ state: 'Suspended', state_reason: 'on leave' });
    expect((await call('GET', '/users/me', { token: tokens.grace })).status).toBe(401);
    expect(await call('POST', `${path}/suspend`)).toMatchObject({
      status: 409,
      body: { code: 'user.transition_not_permitted', state: 'Suspended' },
    });
    expect((await call('POST', `${path}/reactivate`)).body).toMatchObject({ state: 'Active' });
    expect((await call('DELETE', path)).status).toBe(204);
    expect((await call('GET', path)).body).toMatchObject({ state: 'Deleted' });
    expect((await call('POST', `${path}/recover`)).body).toMatchObject({ state: 'Active' });
  });
});

describe('the description of the API', () => {
  it('is there for everybody, in one piece', async () => {
    const { call } = stage;
    const { status, body } = await call('GET', '/openapi.json', { token: '' });
    expect(status).toBe(200);
    expect(body.openapi).toMatch(/^3\.1\./);
    expect(body.paths['/users/{id}']).toHaveProperty('patch.requestBody.content.application/merge-patch+json');
    const referred = [...JSON.stringify(body).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(([, n]) => n!);
    expect(referred.filter((name) => !(name in body.components.schemas))).toEqual([]);
    const ids = Object.values(body.paths as Record<string, Record<string, { operationId: string }>>).flatMap((path) =>
      Object.values(path).map(({ operationId }) => operationId),
    );
    expect(new Set(ids).size).toBe(ids.length);
    const page = await fetch(`${stage.api}/docs`);
    expect(page.status).toBe(200);
    expect(await page.text()).toContain('id="user.unknown"');
  });
});
