import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cardea, startCardea } from '../support/cardea.ts';
import { eventually } from '../support/ground.ts';
import { times } from '../support/token-client.ts';
import { type Answer, type ApiStage, apiStage, type CallOptions } from './stage.ts';

// What somebody tries who is let in: to reach further than they may, to be two at once, to leave nobody in charge.

let stage: ApiStage;
// biome-ignore lint/suspicious/noExplicitAny: what a test reads it knows
let call: (method: string, path: string, options?: CallOptions) => Promise<Answer<any>>;
beforeAll(async () => {
  stage = await apiStage();
  call = stage.call;
});
afterAll(() => stage?.stop());

const activeAdministrators = async () =>
  (
    await stage.cardea.sql<{ id: string }>(
      `select id from user_account where administrator and state = 'Active' order by id`,
    )
  ).map(({ id }) => id);

/** A change of many that an administrator asked for; by HTTP it takes two factors. */
async function bulkBy(administrator: string, action: object, ids: string[]): Promise<Record<string, unknown>> {
  const input = { action, ids, scopes: ['users.read', 'users.write'], startedAt: new Date().toISOString() };
  const [task] = await stage.cardea.sql<{ id: string }>(
    `insert into task (id, kind, input, state, started_by, created_at, updated_at)
     values (gen_random_uuid(), 'users.bulk', $1, 'queued', $2, now(), now()) returning id`,
    [JSON.stringify(input), JSON.stringify({ kind: 'administrator', id: administrator })],
  );
  return eventually(async () => {
    const { body } = await call('GET', `/admin/tasks/${task!.id}`, { token: stage.tokens.admin });
    expect(body.ended_at).not.toBeNull();
    const results = (await call('GET', `/admin/tasks/${task!.id}/results`, { token: stage.tokens.admin })).body.items;
    return { ...body, results };
  });
}

/** Asks the process at this port by the name that both have. */
const bulkAt = (port: number, body: object) =>
  new Promise<{ id: string }>((resolve, reject) => {
    const headers = {
      host: new URL(stage.api).host,
      authorization: `Bearer ${stage.tokens.writer}`,
      'content-type': 'application/json',
    };
    const sent = request({ port, path: '/api/admin/users/bulk', method: 'POST', headers }, async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      if (response.statusCode === 202) resolve(JSON.parse(text));
      else reject(new Error(text));
    });
    sent.once('error', reject).end(JSON.stringify(body));
  });

describe('the last administrator', () => {
  it('is not stopped, neither by themselves nor among many', async () => {
    const { ids, tokens } = stage;
    for (const word of ['suspend', 'deactivate', 'require-password-reset']) {
      const answer = await call('POST', `/users/${ids.admin}/${word}`, { token: tokens.admin });
      expect([word, answer.status, answer.body.code]).toEqual([word, 409, 'user.last_administrator']);
    }
    expect(await activeAdministrators()).toEqual([ids.admin]);
  });

  it('stays, of two who stop each other at once', async () => {
    const { cardea, ids, tokens } = stage;
    await cardea.sql('update user_account set administrator = true where id = $1', [ids.ada]);
    const answers = await times(16, (n) =>
      n % 2
        ? call('POST', `/users/${ids.admin}/suspend`, { token: tokens.ada })
        : call('POST', `/users/${ids.ada}/suspend`, { token: tokens.admin }),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => ![200, 401, 403, 409].includes(status))).toEqual([]);
    expect(await activeAdministrators()).toHaveLength(1);
    await cardea.sql(`update user_account set state = 'Active', administrator = (id = $1) where id = any($2)`, [
      ids.admin,
      [ids.admin, ids.ada],
    ]);
    // Whoever was suspended has no token any more.
    tokens.admin = await stage.signedIn('admin@example.com', 'users.read users.write directory.read directory.write');
  });
});

describe('a change of many', () => {
  it('does not stop whoever asked for it, and nobody without the right goes on in their name', async () => {
    const { cardea, ids } = stage;
    await cardea.sql('update user_account set administrator = true where id = $1', [ids.ada]);
    const done = await bulkBy(ids.ada, { do: 'suspend' }, [ids.ada, ids.grace]);
    expect(done).toMatchObject({
      state: 'done',
      results: [
        { item: ids.ada, code: 'user.oneself' },
        { item: ids.grace, outcome: 'done' },
      ],
    });
    await cardea.sql('update user_account set administrator = false where id = $1', [ids.ada]);
    const refused = await bulkBy(ids.ada, { do: 'reactivate' }, [ids.grace]);
    expect(refused).toMatchObject({ state: 'failed', error: 'caller.not_permitted', results: [] });
    expect((await call('POST', `/users/${ids.grace}/reactivate`)).status).toBe(200);
  });
});

describe('a cursor', () => {
  it('of another caller is none', async () => {
    const first = await call('GET', '/admin/users?limit=1');
    const path = `/admin/users?limit=1&cursor=${encodeURIComponent(first.body.next)}`;
    expect((await call('GET', path)).status).toBe(200);
    for (const token of [stage.tokens.other, stage.tokens.admin]) {
      expect((await call('GET', path, { token })).body.code).toBe('cursor.invalid');
    }
  });

  it('that was altered anywhere is none', async () => {
    const { next } = (await call('GET', '/admin/users?limit=1')).body;
    for (const at of [0, Math.floor(next.length / 2), next.length - 1]) {
      const altered = next.slice(0, at) + (next[at] === 'A' ? 'B' : 'A') + next.slice(at + 1);
      const answer = await call('GET', `/admin/users?limit=1&cursor=${encodeURIComponent(altered)}`);
      // The last character of base64url may carry bits that nobody reads.
      if (answer.status !== 200 || at !== next.length - 1) expect(answer.body.code).toBe('cursor.invalid');
    }
  });
});

describe('a body', () => {
  it('cannot set what is not offered: rights, states, passwords, ids, versions', async () => {
    const { ids } = stage;
    for (const body of [
      { administrator: true },
      { state: 'Active' },
      { password: 'seven quiet otters read maps' },
      { password_hash: '$argon2id$' },
      { id: ids.admin },
      { version: 1 },
      { identity_status: 'verified' },
      { email_key: 'x' },
      { profile: 'x', constructor: { prototype: { administrator: true } } },
      { attributes: { administrator: true } },
    ]) {
      const answer = await call('PATCH', `/users/${ids.grace}`, { body });
      expect([body, answer.status, answer.body.code]).toEqual([body, 400, 'request.invalid']);
    }
    for (const body of ['{"__proto__":{"administrator":true}}', '{"attributes":{"__proto__":{"x":1}}}']) {
      expect((await call('PATCH', `/users/${ids.grace}`, { body })).body.code).toBe('request.malformed');
    }
    expect((await call('POST', '/admin/users', { body: { email: 'x@x.example', administrator: true } })).status).toBe(
      400,
    );
    expect((await call('GET', `/users/${ids.grace}`)).body.administrator).toBe(false);
  });
});

describe('questions of any size', () => {
  it('are answered or refused, never at length', async () => {
    const long = (n: number, word: string) => word.repeat(n).slice(0, n);
    const queries: Record<string, string>[] = [
      { q: 'a' },
      { q: 'an' },
      { q: long(200, 'ab ') },
      { q: long(200, 'x') },
      { q: long(200, '% ') },
      { q: 'katherin jonson', state: 'Active', identity_status: 'none', email_verified: 'true' },
      { name: '*' },
      { q: ' ' },
      { q: '\u202e\u0301' },
    ];
    for (const query of queries) {
      const answer = await call('GET', `/admin/users?${new URLSearchParams(query)}`);
      expect([query, answer.status]).toEqual([query, 200]);
    }
    const tooLong = await call('GET', `/admin/users?q=${'x'.repeat(300)}`);
    expect(tooLong.body.errors).toMatchObject([{ parameter: 'q', code: 'too_large' }]);
  });
});

it('killed in the middle of a change of many, it is gone on with: everybody once, every result once', async () => {
  const { cardea } = stage;
  const count = 600;
  const ids = (
    await cardea.sql<{ id: string }>(
      `insert into user_account (id, state, state_changed_at, email, email_key, created_at, updated_at)
       select gen_random_uuid(), 'Active', now(), 'many' || n || '@x.example', 'many' || n || '@x.example', now(), now()
       from generate_series(1, $1) n returning id`,
      [count],
    )
  ).map(({ id }) => id);
  const beside: Cardea = await startCardea({ beside: cardea, settings: { demo: { enabled: false } } });
  let killed = false;
  try {
    // The task is whose process takes it up: the first is held for as long.
    process.kill(cardea.pid, 'SIGSTOP');
    const task = await bulkAt(Number(beside.env.PORT), { action: { do: 'suspend' }, ids });
    const stopped = async () =>
      (
        await cardea.sql<{ count: number }>(
          `select count(*)::int as count from user_account where state = 'Suspended' and email like 'many%'`,
        )
      )[0]!.count;
    await eventually(async () => expect(await stopped()).toBeGreaterThan(100));
    await beside.kill();
    killed = true;
    expect(await stopped()).toBeLessThan(count);
    // The lease of the dead: half a minute that a test need not wait for.
    await cardea.sql('update task set lease_until = now() where id = $1', [task.id]);
    process.kill(cardea.pid, 'SIGCONT');
    const ended = await eventually(
      async () => {
        const { body } = await call('GET', `/admin/tasks/${task.id}`);
        expect(body.state).toBe('done');
        return body;
      },
      { timeout: 60_000 },
    );
    expect(ended).toMatchObject({ total: count, done: count, failed: 0 });
    expect(await stopped()).toBe(count);
    const [results] = await cardea.sql(
      'select count(*)::int as rows, count(distinct item)::int as people from task_result where task_id = $1',
      [task.id],
    );
    expect(results).toEqual({ rows: count, people: count });
    const [events] = await cardea.sql(
      `select count(*)::int as count from audit_event where type = 'user.suspended' and subject = any($1)`,
      [ids],
    );
    expect(events).toEqual({ count });
  } finally {
    process.kill(cardea.pid, 'SIGCONT');
    if (!killed) await beside.kill();
  }
}, 90_000);
