import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/ground.ts';
import { times } from '../support/token-client.ts';
import { type ApiStage, apiStage } from './stage.ts';

// Adding, finding, counting and changing many.

let stage: ApiStage;
const made: Record<string, string> = {};
beforeAll(async () => {
  stage = await apiStage();
  const names = ['Ada Byron', 'Zoë Müller', 'Jürgen Müller', 'Katherine Johnson', 'Radia Perlman', 'Barbara Liskov'];
  for (const [n, name] of names.entries()) {
    const [given_name, family_name] = name.split(' ');
    const { status, body } = await stage.call('POST', '/admin/users', {
      body: {
        email: `person${n}@house.example`,
        name,
        given_name,
        family_name,
        user_name: `P-${n}`,
        external_id: `x${n}`,
      },
    });
    expect(status).toBe(201);
    made[name] = body.id;
  }
  // The job would do it within five minutes.
  await stage.cardea.sql(
    `insert into user_word select distinct word, now() from user_account,
       regexp_split_to_table(search_text, '[^[:alpha:]]+') as word where length(word) > 2 on conflict do nothing`,
  );
});
afterAll(() => stage?.stop());

const find = async (query: Record<string, string> | string) =>
  (await stage.call('GET', `/admin/users?${new URLSearchParams(query)}`)).body as {
    items: { id: string; name: string; email: string }[];
    next: string | null;
    similar: boolean;
    total: number;
    code: string;
  };
const namesOf = async (query: Record<string, string>) => (await find(query)).items.map(({ name }) => name);

describe('adding a person', () => {
  it('answers where they can be read, and refuses an address or name that is taken', async () => {
    const { call } = stage;
    const first = await call('POST', '/admin/users', { body: { email: 'new@house.example', locale: 'de' } });
    expect(first).toMatchObject({ status: 201, body: { state: 'Active', email_verified: false, locale: 'de' } });
    const location = first.headers.get('location')!;
    const read = await call('GET', location.replace('/api', ''));
    expect(read.body).toEqual(first.body);
    expect(read.headers.get('etag')).toBe(first.headers.get('etag'));
    const taken = await call('POST', '/admin/users', { body: { email: 'NEW@house.example' } });
    expect(taken).toMatchObject({ status: 409, body: { code: 'user.email_taken' } });
    const name = await call('POST', '/admin/users', { body: { user_name: 'p-0' } });
    expect(name).toMatchObject({ status: 409, body: { code: 'user.user_name_taken' } });
    const nobody = await call('POST', '/admin/users', { body: { name: 'Nobody' } });
    expect(nobody).toMatchObject({ status: 400, body: { errors: [{ pointer: '/email', code: 'missing' }] } });
  });

  it('sends the invitation or the letter that proves the address', async () => {
    const { call, cardea } = stage;
    const invited = { email: 'invited@house.example', letter: 'invitation' };
    expect((await call('POST', '/admin/users', { body: invited })).body.state).toBe('Created');
    expect((await cardea.mailbox.next(invited.email)).letter).toBe('choose-password');
    const asked = { email: 'asked@house.example', letter: 'verification' };
    expect((await call('POST', '/admin/users', { body: asked })).body.state).toBe('Unverified');
    expect((await cardea.mailbox.next(asked.email)).letter).toBe('verify-address');
  });

  it('of 64 at once with one user name one is made', async () => {
    const answers = await times(64, (n) =>
      stage.call('POST', '/admin/users', { body: { user_name: 'the-one', email: `one${n}@house.example` } }),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, ...Array(63).fill(409)]);
  });
});

describe('a request with an idempotency key', () => {
  const post = (key: string, body: object, token?: string) =>
    stage.call('POST', '/admin/users', { body, headers: { 'idempotency-key': key }, ...(token && { token }) });

  it('is done once, of 64 at the same time, and answered the same again', async () => {
    const body = { email: 'once@house.example' };
    const answers = await times(64, () => post('key-1', body));
    for (const { status, body: answer } of answers) {
      expect([201, 409]).toContain(status);
      if (status === 409) expect(answer.code).toBe('idempotency.running');
    }
    const [done] = answers.filter(({ status }) => status === 201);
    const again = await post('key-1', body);
    expect(again).toMatchObject({ status: 201, body: done!.body });
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(again.headers.get('location')).toBe(done!.headers.get('location'));
    const rows = await stage.cardea.sql(`select 1 from user_account where email_key = 'once@house.example'`);
    expect(rows).toHaveLength(1);
  });

  it('is refused for another request, and is nothing to another caller', async () => {
    await post('key-2', { email: 'two@house.example' });
    expect(await post('key-2', { email: 'three@house.example' })).toMatchObject({
      status: 422,
      body: { code: 'idempotency.reused' },
    });
    expect((await post('key-2', { email: 'four@house.example' }, stage.tokens.other)).status).toBe(201);
    expect((await post('spaces are none', {})).body.errors).toMatchObject([{ header: 'Idempotency-Key' }]);
  });

  it('that was refused may be sent right', async () => {
    expect((await post('key-3', { email: 'two@house.example' })).status).toBe(409);
    await stage.cardea.sql(`delete from user_account where email_key = 'two@house.example'`);
    expect((await post('key-3', { email: 'two@house.example' })).status).toBe(201);
  });

  it('keeps no names in the clear', async () => {
    const rows = await stage.cardea.sql<{ answer: string }>('select * from kept_answer');
    expect(rows.length).toBeGreaterThan(0);
    expect(JSON.stringify(rows)).not.toMatch(/house\.example/);
  });
});

describe('people are found', () => {
  it.each([
    [{ q: 'müller' }, ['Jürgen Müller', 'Zoë Müller']],
    [{ q: 'MULLER zoe' }, ['Zoë Müller']],
    [{ q: 'lisk' }, ['Barbara Liskov']],
    [{ q: 'person4@house' }, ['Radia Perlman']],
    [{ q: 'p-3' }, ['Katherine Johnson']],
    [{ q: 'ra', sort: 'name' }, ['Radia Perlman']],
    [{ email: 'PERSON1@house.example' }, ['Zoë Müller']],
    [{ user_name: 'p-5' }, ['Barbara Liskov']],
    [{ external_id: 'x0' }, ['Ada Byron']],
    [{ family_name: 'Müller', sort: 'name' }, ['Jürgen Müller', 'Zoë Müller']],
    [{ given_name: 'J*' }, ['Jürgen Müller']],
    [{ family_name: 'Mull' }, []],
    [{ q: 'house', state: 'Suspended,Deactivated' }, []],
    [{ q: '%_\\' }, []],
    [{ q: "'; drop table user_account; --" }, []],
  ])('by %j', async (query, expected) => {
    const found = await find(query as Record<string, string>);
    expect(found.items.map(({ name }) => name).toSorted()).toEqual(expected.toSorted());
  });

  it.each([
    ['katherin jonson', 'Katherine Johnson'],
    ['liskow', 'Barbara Liskov'],
    ['persen4@hause.exmaple', 'Radia Perlman'],
  ])('by words that are like theirs: %s', async (q, name) => {
    const found = await find({ q });
    expect(found.similar).toBe(true);
    expect(found.items[0]?.name ?? '').toBe(name);
  });

  it('page by page, in any order, each once, whoever comes in between', async () => {
    for (const sort of [
      'name',
      '-name',
      'created_at',
      '-created_at',
      'email',
      '-user_name',
      'last_sign_in_at',
      '-last_sign_in_at',
    ]) {
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const page: Awaited<ReturnType<typeof find>> = await find({ sort, limit: '3', ...(cursor && { cursor }) });
        seen.push(...page.items.map(({ id }) => id));
        cursor = page.next;
        if (seen.length === 3) await stage.call('POST', '/admin/users', { body: { user_name: `between ${sort}` } });
      } while (cursor);
      expect([sort, new Set(seen).size]).toEqual([sort, seen.length]);
      for (const id of [...Object.values(made), stage.ids.ada]) expect(seen).toContain(id);
      expect(seen).not.toContain('Deleted');
    }
  });

  it('page by page, by conditions that few fit', async () => {
    const { call } = stage;
    for (let n = 0; n < 7; n++) {
      const body = { user_name: `few ${n}`, locale: 'eo', name: `Few ${(n * 3) % 7}` };
      const { id } = (await call('POST', '/admin/users', { body })).body;
      await call('POST', `/users/${id}/suspend`);
    }
    for (const [sort, names] of [
      ['name', [0, 1, 2, 3, 4, 5, 6]],
      ['-name', [6, 5, 4, 3, 2, 1, 0]],
      ['-created_at', [4, 1, 5, 2, 6, 3, 0]],
      ['email', undefined],
    ] as const) {
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const query = { state: 'Suspended', locale: 'eo', sort, limit: '3', ...(cursor && { cursor }) };
        const page: Awaited<ReturnType<typeof find>> = await find(query as Record<string, string>);
        seen.push(...page.items.map(({ name }) => name));
        cursor = page.next;
      } while (cursor);
      expect([sort, new Set(seen).size]).toEqual([sort, 7]);
      if (names) expect(seen).toEqual(names.map((n) => `Few ${n}`));
    }
    expect(await namesOf({ state: 'Suspended,Deactivated', locale: 'tlh' })).toEqual([]);
  });

  it('page by page, by words: one list, in whichever manner each page was found', async () => {
    const { call } = stage;
    for (const name of ['Umber Ona', 'Ada Umber', 'Umber Eva', 'Zoe Umber', 'Umberto Dia', 'Ben Umbers', 'Umber Ova'])
      await call('POST', '/admin/users', { body: { user_name: name.toLowerCase().replace(' ', '-'), name } });
    const sorts = ['name', '-name', 'created_at', '-created_at', 'user_name', '-last_sign_in_at'];
    // Words alone are looked for along the list; with another condition, who fits is gathered.
    for (const [sort, more] of sorts.flatMap((sort) => [[sort, {}] as const, [sort, { state: 'Active' }] as const])) {
      const whole = await find({ q: 'umber', sort, limit: '100' });
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const page: Awaited<ReturnType<typeof find>> = await find({
          ...{ q: 'umber', sort, limit: '2', ...more },
          ...(cursor && { cursor }),
        });
        seen.push(...page.items.map(({ name }) => name));
        cursor = page.next;
      } while (cursor);
      expect([sort, more, seen]).toEqual([sort, more, whole.items.map(({ name }) => name)]);
      expect(new Set(seen).size).toBe(7);
    }
    // Those that begin with it come first.
    expect(await namesOf({ q: 'umber', sort: 'name' })).toEqual([
      ...['Umber Eva', 'Umber Ona', 'Umber Ova', 'Umberto Dia'],
      ...['Ada Umber', 'Ben Umbers', 'Zoe Umber'],
    ]);
  });

  it('by a cursor of this search only', async () => {
    const { next } = await find({ limit: '2' });
    expect((await find({ limit: '3', cursor: next! })).items).toHaveLength(3);
    const others: Record<string, string>[] = [
      { cursor: next!, q: 'a' },
      { cursor: next!, sort: 'name' },
      { cursor: `${next!.slice(0, -2)}AA` },
      { cursor: 'x' },
    ];
    for (const query of others) expect((await find(query)).code).toBe('cursor.invalid');
  });

  it('with how many there are, when asked', async () => {
    expect((await find({})).total).toBeUndefined();
    const { total } = await find({ total: 'exact', q: 'müller' });
    expect(total).toBe(2);
    expect((await find({ total: 'estimate' })).total).toBeGreaterThan(0);
  });

  it('by group, inner groups too, organisation and last sign-in', async () => {
    const { cardea, ids } = stage;
    const [outer, inner, organisation] = [1, 2, 3].map((n) => `0192f000-0000-7000-8000-00000000000${n}`);
    const now = new Date();
    for (const group of [outer, inner])
      await cardea.sql(`insert into user_group (id, display_name, created_at, updated_at) values ($1, 'x', $2, $2)`, [
        group,
        now,
      ]);
    await cardea.sql(
      `insert into group_member (group_id, member_id, member_kind, added_at)
       values ($1, $2, 'group', $5), ($2, $3, 'user', $5), ($1, $4, 'user', $5)`,
      [outer, inner, made['Ada Byron'], made['Zoë Müller'], now],
    );
    await cardea.sql(
      `insert into organisation (id, name, display_name, created_at, updated_at) values ($1, 'o', 'O', $2, $2)`,
      [organisation, now],
    );
    await cardea.sql('insert into organisation_member values ($1, $2, $3)', [organisation, made['Radia Perlman'], now]);
    expect(await namesOf({ group: outer!, sort: 'name' })).toEqual(['Ada Byron', 'Zoë Müller']);
    expect(await namesOf({ group: inner! })).toEqual(['Ada Byron']);
    expect(await namesOf({ group: outer!, q: 'zo' })).toEqual(['Zoë Müller']);
    expect(await namesOf({ organisation: organisation! })).toEqual(['Radia Perlman']);
    const signedIn = await find({ signed_in_from: '2026-01-01T00:00:00Z' });
    expect(signedIn.items.map(({ id }) => id)).toContain(ids.ada);
    expect((await find({ signed_in: 'false', q: 'byron' })).items).toHaveLength(1);
    expect((await find({ signed_in: 'true', q: 'byron' })).items).toHaveLength(0);
  });
});

describe('the figures', () => {
  it('count states, sign-ups, sign-ins and who is active, without a job having run', async () => {
    const { body } = await stage.call('GET', '/admin/users/analytics?days=7');
    const [row] = await stage.cardea.sql<{ people: string }>(
      `select count(*) as people from user_account where state = 'Active'`,
    );
    expect(body.states.Active).toBe(Number(row!.people));
    expect(body.days).toHaveLength(7);
    expect(body.days.at(-1).sign_ups).toBeGreaterThan(10);
    expect(body.days.at(-1).sign_ins).toBeGreaterThanOrEqual(3);
    expect(body.active).toMatchObject({ days_1: 3, days_7: 3, days_30: 3 });
    expect(body.profile_completion.by_fields_filled).toHaveLength(9);
  });
});

describe('a change of many', () => {
  const run = async (body: object, token?: string) => {
    const started = await stage.call('POST', '/admin/users/bulk', { body, ...(token && { token }) });
    expect([started.status, started.body.state]).toEqual([202, 'queued']);
    const path = started.headers.get('location')!.replace('/api', '');
    const ended = await eventually(async () => {
      const { body } = await stage.call('GET', path);
      expect(body.ended_at).not.toBeNull();
      return body;
    });
    return {
      ended,
      results: (await stage.call('GET', `${path}/results`)).body.items as { code: string; item: string }[],
      path,
    };
  };

  it('tells of each person, and one who cannot be changed holds up no other', async () => {
    const people = [made['Ada Byron']!, '0192f000-0000-7000-8000-0000000000ff', made['Zoë Müller']!, stage.ids.admin];
    const { ended, results, path } = await run({ action: { do: 'suspend', reason: 'moved' }, ids: people });
    expect(ended).toMatchObject({ state: 'done', total: 4, done: 2, failed: 2 });
    expect(results.map(({ item, code }) => [item, code])).toEqual([
      [people[0], null],
      [people[1], 'user.unknown'],
      [people[2], null],
      [people[3], 'caller.not_permitted'],
    ]);
    expect((await stage.call('GET', `${path}/results?outcome=failed&limit=1`)).body).toMatchObject({
      items: [{ position: 2 }],
    });
    expect((await stage.call('GET', `/users/${people[0]}`)).body).toMatchObject({
      state: 'Suspended',
      state_reason: 'moved',
    });
    await run({ action: { do: 'reactivate' }, search: { state: ['Suspended'], q: 'person' } });
    expect((await stage.call('GET', `/users/${people[0]}`)).body.state).toBe('Active');
  });

  it('puts people into a group, sets a field, sends letters', async () => {
    const [{ id: group }] = (await stage.cardea.sql(
      `insert into user_group (id, display_name, created_at, updated_at) values (gen_random_uuid(), 'many', now(), now()) returning id`,
    )) as [{ id: string }];
    await run({ action: { do: 'add_to_group', group }, search: { q: 'müller' } });
    expect(await namesOf({ group, sort: 'name' })).toEqual(['Jürgen Müller', 'Zoë Müller']);
    await run({ action: { do: 'remove_from_group', group }, ids: [made['Zoë Müller']] });
    expect(await namesOf({ group })).toEqual(['Jürgen Müller']);
    const { ended } = await run({ action: { do: 'send_verification' }, search: { q: 'person' } });
    expect(ended).toMatchObject({ done: 6, failed: 0 });
    expect((await stage.cardea.mailbox.next('person0@house.example')).letter).toBe('verify-address');
  });

  it('of whom, and what, is said exactly', async () => {
    for (const body of [
      { action: { do: 'suspend' } },
      { action: { do: 'suspend' }, ids: [made['Ada Byron']], search: { q: 'a' } },
      { action: { do: 'suspend' }, search: {} },
      { action: { do: 'explode' }, search: { q: 'a' } },
      { action: { do: 'suspend' }, ids: ['x'] },
      { action: { do: 'add_to_group', group: '0192f000-0000-7000-8000-0000000000ff' }, search: { q: 'a' } },
      { action: { do: 'set_field', field: 'nope', value: 1 }, search: { q: 'a' } },
    ]) {
      const answer = await stage.call('POST', '/admin/users/bulk', { body });
      expect([body, answer.status, answer.body.code]).toEqual([body, 400, 'request.invalid']);
    }
  });

  it('is seen and cancelled by whoever asked for it and by administrators, not by another service', async () => {
    const { path } = await run({ action: { do: 'reactivate' }, ids: [made['Ada Byron']] });
    expect((await stage.call('GET', path, { token: stage.tokens.other })).body.code).toBe('task.unknown');
    expect((await stage.call('DELETE', path, { token: stage.tokens.other })).status).toBe(404);
    expect((await stage.call('GET', path, { token: stage.tokens.admin })).status).toBe(200);
    expect((await stage.call('DELETE', path)).body.state).toBe('done');
  });
});
