import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cardeaCommand } from '../support/command.ts';
import { eventually } from '../support/ground.ts';
import { nextStep } from '../support/totp.ts';
import { ADMIN, type ApiStage, apiStage } from './stage.ts';

// Files in and out over HTTP, as an administrator who has just proved two factors.

const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';
const hash = '{SSHA}0c0blFTXXNuAMHECS4uxrj3ZieMoWImr';

let stage: ApiStage;
let token: string;
beforeAll(async () => {
  stage = await apiStage({ settings: { imports: { max_mib: 16 } } });
  const row = JSON.stringify({ email: ADMIN.email, totp: { secret } });
  const given = await cardeaCommand(stage.cardea, ['users', 'import', '-', '--administrators'], { input: row });
  expect(given.stderr, given.stdout).not.toContain('failed');
  token = await twice();
});
afterAll(() => stage?.stop());

/** A token of an administrator who signed in with two factors. */
async function twice(): Promise<string> {
  const fresh = await stage.signedIn(ADMIN.email, 'users.read users.write directory.write', secret);
  await nextStep(stage.cardea);
  return fresh;
}

const call = (method: string, path: string, body?: unknown, given = token) =>
  stage.call(method, path, { token: given, ...(body !== undefined && { body }) });

/** The task, once it is so. */
const until = (id: string, holds: (task: { done: number; ended_at: string | null }) => boolean) =>
  eventually(
    async () => {
      const { body } = await call('GET', `/admin/tasks/${id}`);
      if (!holds(body)) throw new Error(`not yet: ${JSON.stringify(body)}`);
      return body;
    },
    { timeout: 60_000, interval: 50 },
  );
const hasEnded = ({ ended_at }: { ended_at: string | null }) => ended_at !== null;

const part = async (id: string, offset: number, bytes: string | Buffer, given = token) => {
  const response = await fetch(`${stage.api}/admin/imports/${id}/file?offset=${offset}`, {
    method: 'PATCH',
    headers: { authorization: `Bearer ${given}`, 'content-type': 'application/octet-stream' },
    body: bytes as string,
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

async function bring(text: string, options: object = {}) {
  const begun = await call('POST', '/admin/imports', options);
  expect(begun.status, JSON.stringify(begun.body)).toBe(201);
  const { id } = begun.body;
  expect((await part(id, 0, text)).status).toBe(200);
  const size = Buffer.byteLength(text);
  const started = await call('POST', `/admin/imports/${id}/start`, { size });
  expect(started, JSON.stringify(started.body)).toMatchObject({ status: 202, body: { id, kind: 'users.import' } });
  expect(started.headers.get('location')).toBe(`/api/admin/tasks/${id}`);
  return until(id, hasEnded);
}

describe('an import over HTTP', () => {
  it('comes in parts, tells progress and what became of each line', async () => {
    const text = [
      JSON.stringify({ email: 'api-1@example.com', emailVerified: true, passwordHash: hash }),
      JSON.stringify({ email: 'broken' }),
      JSON.stringify({ email: 'api-2@example.com', colour: 'red' }),
    ].join('\n');
    const { id } = (await call('POST', '/admin/imports', { from: 'cardea', size: text.length })).body;
    expect((await part(id, 0, text.slice(0, 40))).body).toEqual({ id, received: 40 });
    expect(await part(id, 50, 'x')).toMatchObject({
      status: 409,
      body: { code: 'import.part_misplaced', received: 40 },
    });
    expect((await call('GET', `/admin/imports/${id}`)).body).toEqual({ id, received: 40 });
    const early = await call('POST', `/admin/imports/${id}/start`, { size: text.length });
    expect(early).toMatchObject({ status: 409, body: { code: 'import.incomplete', received: 40 } });
    await part(id, 40, text.slice(40));
    const started = await call('POST', `/admin/imports/${id}/start`, { size: text.length });
    expect(started.status).toBe(202);
    const again = await call('POST', `/admin/imports/${id}/start`, { size: text.length });
    expect(again, 'asked again it is the same').toMatchObject({ status: 202, body: { id } });
    const done = await until(id, hasEnded);
    expect(done).toMatchObject({ state: 'done', progress: 1, done: 1, failed: 2, outcomes: { created: 1, failed: 2 } });
    const { body } = await call('GET', `/admin/tasks/${id}/results?outcome=failed`);
    expect(body.items).toEqual([
      { position: 2, item: null, outcome: 'failed', code: 'import.field_malformed', details: { field: 'email' } },
      { position: 3, item: null, outcome: 'failed', code: 'import.field_unknown', details: { fields: ['colour'] } },
    ]);
    expect((await call('GET', '/admin/tasks?kind=users.import')).body.items[0].id).toBe(id);
    const [person] = await stage.cardea.sql(
      `select hash from password join user_account on id = user_id where email_key = 'api-1@example.com'`,
    );
    expect(person).toEqual({ hash });
    const [event] = await stage.cardea.sql<{ actor_kind: string; actor_id: string }>(
      `select actor_kind, actor_id from audit_event where type = 'users.import_started' order by id desc limit 1`,
    );
    expect(event).toEqual({ actor_kind: 'administrator', actor_id: stage.ids.admin });
  });

  it('is cancelled and resumed', async () => {
    const text = Array.from({ length: 5_000 }, (_, at) => JSON.stringify({ email: `many-${at}@example.com` })).join(
      '\n',
    );
    const { id } = (await call('POST', '/admin/imports', { report: 'problems' })).body;
    await part(id, 0, text);
    await call('POST', `/admin/imports/${id}/start`, { size: text.length });
    await until(id, ({ done }) => done > 0);
    const cancelled = await call('DELETE', `/admin/tasks/${id}`);
    expect(cancelled.body.state).toBe('cancelled');
    const before = cancelled.body.done;
    expect(before).toBeLessThan(5_000);
    expect(cancelled.body.progress).toBeLessThan(1);
    const resumed = await call('POST', `/admin/tasks/${id}/resume`);
    expect(resumed).toMatchObject({ status: 202, body: { done: before } });
    const done = await until(id, hasEnded);
    expect(done).toMatchObject({ done: 5_000, outcomes: { created: 5_000 }, failed: 0 });
    const [count] = await stage.cardea.sql(`select count(*)::int as n from user_account where email like 'many-%'`);
    expect(count).toEqual({ n: 5_000 });
    expect(await stage.cardea.sql('select 1 from import_piece where task_id = $1', [id]), 'the file is gone').toEqual(
      [],
    );
  });

  it('is not begun by a service, nor without a fresh second factor, and nobody goes on with what another began', async () => {
    expect(await stage.call('POST', '/admin/imports', { body: {} })).toMatchObject({
      status: 403,
      body: { code: 'caller.not_in_person' },
    });
    expect(await call('POST', '/admin/imports', {}, stage.tokens.admin)).toMatchObject({
      status: 401,
      body: { code: 'token.insufficient_authentication' },
    });
    expect(await call('POST', '/admin/imports', {}, stage.tokens.ada)).toMatchObject({ status: 403 });
    const { id } = (await call('POST', '/admin/imports', {})).body;
    await stage.cardea.sql(`update user_account set administrator = true where id = $1`, [stage.ids.ada]);
    try {
      const ada = await stage.signedIn('ada@example.com', 'users.read users.write');
      expect((await part(id, 0, 'x', ada)).body.code).toBe('import.unknown');
      expect((await call('POST', `/admin/imports/${id}/start`, { size: 1 }, ada)).body.code).toBe('import.unknown');
    } finally {
      await stage.cardea.sql(`update user_account set administrator = false where id = $1`, [stage.ids.ada]);
    }
    expect((await call('DELETE', `/admin/imports/${id}`)).status).toBe(204);
    expect((await call('GET', `/admin/imports/${id}`)).status).toBe(404);
  });

  it('makes no administrator unless it was said to', async () => {
    const row = JSON.stringify({ email: 'chief@example.com', emailVerified: true, administrator: true });
    expect(await bring(row)).toMatchObject({ failed: 1 });
    expect(await bring(row, { administrators: true })).toMatchObject({ outcomes: { created: 1 } });
  });

  it('a file of ten gigabytes is refused before it is sent, and one that grows too large where it does', async () => {
    const refused = await call('POST', '/admin/imports', { size: 10 * 1024 ** 3 });
    expect(refused).toMatchObject({ status: 413, body: { code: 'import.too_large', most: 16 * 1024 ** 2 } });
    const { id } = (await call('POST', '/admin/imports', {})).body;
    const most = Buffer.alloc(8 * 1024 ** 2, ' ');
    expect((await part(id, 0, most)).status).toBe(200);
    expect((await part(id, most.length, most)).status).toBe(200);
    expect(await part(id, most.length * 2, 'x')).toMatchObject({ status: 413, body: { code: 'import.too_large' } });
    const long = await part(id, most.length * 2, Buffer.alloc(8 * 1024 ** 2 + 1));
    expect(long).toMatchObject({ status: 413, body: { code: 'request.too_large' } });
    await call('DELETE', `/admin/imports/${id}`);
  });

  it('a part that is cut off is not there', async () => {
    const { id } = (await call('POST', '/admin/imports', {})).body;
    await part(id, 0, '{"email":"cut@example.com"}\n');
    await new Promise<void>((resolve) => {
      const half = request(`${stage.api}/admin/imports/${id}/file?offset=28`, {
        method: 'PATCH',
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/octet-stream',
          'content-length': 1000,
        },
      });
      half.on('error', () => resolve());
      half.write('{"email":"half@exam', () => setImmediate(() => half.destroy()));
    });
    expect((await call('GET', `/admin/imports/${id}`)).body).toEqual({ id, received: 28 });
    await call('DELETE', `/admin/imports/${id}`);
  });

  it('of one part sent eight times at once, one is taken', async () => {
    const { id } = (await call('POST', '/admin/imports', {})).body;
    const line = '{"email":"once@example.com"}\n';
    const answers = await Promise.all(Array.from({ length: 8 }, () => part(id, 0, line)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(409)]);
    expect((await call('GET', `/admin/imports/${id}`)).body.received).toBe(line.length);
    await call('DELETE', `/admin/imports/${id}`);
  });
});

describe('an export over HTTP', () => {
  it('gives everything, hashes included, to an administrator with a fresh second factor, and writes it down', async () => {
    await bring(JSON.stringify({ email: 'out@example.com', emailVerified: true, passwordHash: hash }));
    const { status, headers, body } = await stage.call<string>('POST', '/admin/exports', {
      token,
      body: { secrets: true },
    });
    expect(status).toBe(200);
    expect(headers.get('content-type')).toMatch(/^application\/x-ndjson/);
    expect(headers.get('cache-control')).toBe('no-store');
    const lines = body
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines[0]).toMatchObject({ type: 'cardea.export', secrets: true });
    expect(lines.find(({ email }) => email === 'out@example.com')).toMatchObject({ passwordHash: hash });
    const [event] = await stage.cardea.sql<{ actor_id: string; data: object }>(
      `select actor_id, data from audit_event where type = 'users.exported' order by id desc limit 1`,
    );
    expect(event).toMatchObject({ actor_id: stage.ids.admin, data: { secrets: true } });
    const csv = await fetch(`${stage.api}/admin/exports`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: 'text/csv' },
      body: '{"format":"csv","secrets":true}',
    });
    expect(csv.headers.get('content-type')).toMatch(/^text\/csv/);
    expect(await csv.text()).not.toContain('SSHA');
  });

  it('is not for services, nor for who has not just proved two factors, nor for people', async () => {
    expect((await stage.call('POST', '/admin/exports', { body: {} })).body.code).toBe('caller.not_in_person');
    expect((await call('POST', '/admin/exports', {}, stage.tokens.admin)).body.code).toBe(
      'token.insufficient_authentication',
    );
    expect((await call('POST', '/admin/exports', {}, stage.tokens.ada)).status).toBe(403);
  });
});
