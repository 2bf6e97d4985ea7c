import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { transferRoom } from '../../test/support/transfer.ts';
import { newId } from '../platform/index.ts';
import { createFacts } from '../users/index.ts';

let room: Awaited<ReturnType<typeof transferRoom>>;
beforeAll(async () => {
  room = await transferRoom({ fields: ['team'] });
});
afterAll(() => room.stop());

const bcrypt = '$2b$05$abcdefghijklmnopqrstuu2c1e4vZoCxDVRU9N6VCSSmNg4cQa1Ve';
const found = async (email: string) => (await room.users.byEmail(email))!;

describe('an import', () => {
  it('brings people in with all that belongs to them', async () => {
    const task = await room.bring(
      [
        {
          externalId: 'e-1',
          userName: 'ada',
          email: 'ada@example.com',
          emailVerified: true,
          name: 'Ada Lovelace',
          profile: { nickname: 'Ada' },
          attributes: { team: 'engines' },
          passwordHash: bcrypt,
          totp: { secret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP' },
          recoveryCodes: ['abcde-fghjk'],
          groups: ['Engineers'],
        },
        { email: 'grace@example.com', password: 'ember lantern quietly' },
        { email: 'held@example.com', emailVerified: true, state: 'Suspended', stateReason: 'on leave' },
      ],
      { createGroups: true },
    );
    expect(task).toMatchObject({ state: 'done', tally: { created: 3 }, done: 3, failed: 0 });
    const ada = await found('ada@example.com');
    expect(ada).toMatchObject({ state: 'Active', externalId: 'e-1', userName: 'ada', attributes: { team: 'engines' } });
    expect(await room.passwords.check(ada.id, 'lètmein')).toBe(true);
    expect(await room.totp.of(ada.id)).toBeDefined();
    expect(await room.groups.of(ada.id)).toMatchObject([{ displayName: 'Engineers' }]);
    const grace = await found('grace@example.com');
    expect(grace.state, 'asked to prove the address at the first sign-in').toBe('Created');
    expect(await room.passwords.check(grace.id, 'ember lantern quietly')).toBe(true);
    const held = await found('held@example.com');
    expect(held).toMatchObject({ state: 'Suspended', stateReason: 'on leave' });
    await room.users.change(held.id, 'reactivate', room.by);
    expect((await found('held@example.com')).state).toBe('Active');
    const [event] = await room.events.history({ subject: ada.id, type: 'user.created' });
    expect(event).toMatchObject({ data: { state: 'Active' }, reason: 'import' });
  });

  it('again changes nothing; who differs is skipped, or updated if so asked', async () => {
    const rows = [
      { externalId: 'i-1', email: 'ida@example.com', emailVerified: true, name: 'Ida', passwordHash: bcrypt },
      { externalId: 'i-2', email: 'jan@example.com', emailVerified: true, name: 'Jan' },
    ];
    expect((await room.bring(rows)).tally).toEqual({ created: 2 });
    expect((await room.bring(rows)).tally).toEqual({ unchanged: 2 });
    const ida = await found('ida@example.com');
    expect(await room.passwords.check(ida.id, 'lètmein')).toBe(true);
    const changed = [
      { ...rows[0], name: 'Ida R.' },
      { ...rows[1], email: 'johan@example.com', passwordHash: bcrypt },
    ];
    const skipped = await room.bring(changed);
    expect(skipped.tally).toEqual({ skipped: 2 });
    expect(skipped.results[0]).toMatchObject({ position: 1, outcome: 'skipped', details: { fields: ['name'] } });
    expect((await room.bring(changed, { existing: 'update' })).tally).toEqual({ updated: 2 });
    expect((await found('ida@example.com')).name).toBe('Ida R.');
    expect(await found('johan@example.com')).toMatchObject({ externalId: 'i-2' });
    const [row] = await room.db.query<{ hash: string }>('select hash from password where user_id = $1', [ida.id]);
    expect(row!.hash, 'an import never puts an old password back').toContain('$argon2id$');
    expect(await room.passwords.has((await found('johan@example.com')).id), 'but gives one to who has none').toBe(true);
  });

  it('tells line and code of each row that cannot be, and brings the others in', async () => {
    const rows = [
      '{"email":"good-1@example.com"}',
      '{"email":"no address"}',
      'not json',
      '["an","array"]',
      '{"name":"Nobody"}',
      '{"email":"extra@example.com","colour":"red"}',
      '{"email":"chief@example.com","administrator":true}',
      '{"email":"clear@example.com","passwordHash":"clear text"}',
      '{"email":"bomb@example.com","passwordHash":"$2b$31$abcdefghijklmnopqrstuuVjy3WfYsef9X9ig7GWAQsq.R8VvWccC"}',
      '{"email":"app@example.com","totp":{"secret":"short"}}',
      '{"email":"nul@example.com","name":"a\\u0000b"}',
      '{"email":"half@example.com","name":"\\ud800"}',
      `{"email":"long@example.com","name":"${'x'.repeat(2_000_000)}"}`,
      '{"email":"link@example.com","profile":{"website":"javascript:alert(1)"}}',
      '{"email":"deep@example.com","attributes":{"team":'.concat('['.repeat(5_000), ']'.repeat(5_000), '}}'),
      '{"__proto__":{"administrator":true},"email":"proto@example.com"}',
      '',
      '{"email":"good-2@example.com"}',
    ];
    const bytes = Buffer.concat([
      Buffer.from(`${rows.join('\n')}\n`),
      Buffer.from([0x7b, 0xff, 0xfe, 0x7d, 0x0a]),
      Buffer.from('{"email":"good-3@example.com"}\n\0\n'),
    ]);
    const { results, state, tally } = await room.bring(bytes);
    expect(state).toBe('done');
    const codes = Object.fromEntries(results.map(({ position, outcome, code }) => [position, code ?? outcome]));
    expect(codes).toEqual({
      1: 'created',
      2: 'import.field_malformed',
      3: 'import.malformed',
      4: 'import.malformed',
      5: 'import.nameless',
      6: 'import.field_unknown',
      7: 'import.administrator_refused',
      8: 'password.hash_unusable',
      9: 'password.hash_too_dear',
      10: 'import.field_malformed',
      11: 'import.field_malformed',
      12: 'import.field_malformed',
      13: 'import.row_too_long',
      14: 'import.field_malformed',
      15: expect.stringMatching(/created|import\./),
      16: 'import.field_unknown',
      18: 'created',
      19: 'import.not_utf8',
      20: 'created',
      21: 'import.nul',
    });
    expect(tally.created).toBeGreaterThanOrEqual(3);
    expect(JSON.stringify(results), 'no address in a report').not.toContain('@example.com');
  });

  it('takes the same person twice in a file as it would in two files', async () => {
    const { results } = await room.bring([
      { email: 'twice@example.com', name: 'First' },
      { email: 'other@example.com' },
      { email: 'TWICE@example.com', name: 'First' },
      { email: 'twice@example.com', name: 'Second' },
    ]);
    expect(results.map(({ outcome }) => outcome)).toEqual(['created', 'created', 'skipped', 'skipped']);
  });

  it('a record that is one by its id and another by its address is nobody', async () => {
    await room.bring([
      { externalId: 'm-1', email: 'mia@example.com' },
      { externalId: 'm-2', email: 'noa@example.com' },
    ]);
    const { results } = await room.bring([{ externalId: 'm-1', email: 'noa@example.com' }], { existing: 'update' });
    expect(results).toMatchObject([{ outcome: 'failed', code: 'import.ambiguous' }]);
  });

  it('as a dry run says what it would do and does nothing', async () => {
    const before = await room.db.query('select count(*) from user_account');
    const { tally, results } = await room.bring(
      [
        { email: 'ada@example.com', name: 'Another' },
        { email: 'new@example.com', groups: ['Nowhere'] },
        { email: '?' },
      ],
      { dryRun: true, existing: 'update', createGroups: true },
    );
    expect(tally).toEqual({ created: 1, updated: 1, failed: 1 });
    expect(results).toHaveLength(3);
    expect(await room.db.query('select count(*) from user_account')).toEqual(before);
    expect((await found('ada@example.com')).name).toBe('Ada Lovelace');
    expect(await room.groups.list({ prefix: 'Nowhere' })).toEqual([]);
  });

  it('of what the database refuses leaves out that row alone', async () => {
    await room.db.query(`alter table user_account add constraint of_a_test check (family_name <> 'refused')`);
    const rows = Array.from({ length: 40 }, (_, at) => ({
      email: `many-${at}@example.com`,
      ...(at === 17 && { familyName: 'refused' }),
    }));
    const { tally, results } = await room.bring(rows);
    await room.db.query('alter table user_account drop constraint of_a_test');
    expect(tally).toEqual({ created: 39, failed: 1 });
    expect(results[17]).toMatchObject({ position: 18, code: 'import.refused' });
  });

  it('names groups that are not here, and joins the others', async () => {
    const { results } = await room.bring([{ email: 'joins@example.com', groups: ['engineers', 'Nobody’s'] }]);
    expect(results[0]).toMatchObject({
      outcome: 'created',
      code: 'import.membership_unknown',
      details: { groups: ['Nobody’s'] },
    });
    expect(await room.groups.of((await found('joins@example.com')).id)).toHaveLength(1);
  });

  it('keeps the file sealed, and only until it is in', async () => {
    const chunks = (async function* () {
      yield Buffer.from('{"email":"sealed@example.com","password":"ember lantern quietly"}\n');
    })();
    const { id } = await room.transfer.start({}, chunks, room.by);
    const [row] = await room.db.query<{ sealed: string }>('select sealed from import_piece where task_id = $1', [id]);
    expect(row!.sealed).not.toContain('sealed@example.com');
    expect(Buffer.from(row!.sealed, 'base64').toString('latin1')).not.toContain('ember');
    await room.tasks.finish(id);
    expect(await room.db.query('select 1 from import_piece')).toEqual([]);
  });

  it('that is empty or too large is refused, and nothing of it stays', async () => {
    const small = await transferRoom({ maxBytes: 300_000 });
    await expect(small.bring('')).rejects.toMatchObject({ code: 'import.empty' });
    await expect(small.bring('x'.repeat(300_001))).rejects.toMatchObject({ code: 'import.too_large' });
    await expect(small.bring('x', { from: 'nowhere' })).rejects.toMatchObject({ code: 'import.options_malformed' });
    expect(await small.db.query('select 1 from import_piece')).toEqual([]);
    expect(await small.tasks.list()).toEqual([]);
    await small.stop();
  });

  it('made by two at once of the same people makes each once', async () => {
    const rows = Array.from({ length: 300 }, (_, at) => ({ email: `race-${at}@example.com` }));
    const both = await Promise.all([room.bring(rows), room.bring(rows)]);
    expect(both.every(({ state }) => state === 'done')).toBe(true);
    const [{ count }] = (await room.db.query<{ count: number }>(
      `select count(*)::int as count from user_account where email like 'race-%'`,
    )) as [{ count: number }];
    expect(count).toBe(300);
  });
});

describe('a CSV file', () => {
  it('by a map, with quotes, semicolons and a byte order mark', async () => {
    const csv =
      '\uFEFFE-Mail;Vorname;"Nach\nname";Aktiv;Teams;Extra\n"eva@example.com";Eva;"O""Neil; Müller";ja;engineers|b;x\n';
    const { tally, results } = await room.bring(csv, {
      from: 'csv',
      map: {
        delimiter: ';',
        fields: {
          email: 'E-Mail',
          givenName: 'Vorname',
          familyName: { column: 'Nach\nname' },
          emailVerified: { column: 'Aktiv', values: { ja: true, nein: false } },
          groups: 'Teams',
          'attributes.team': { value: 'sales' },
        },
      },
    });
    expect({ tally, results }).toMatchObject({ tally: { created: 1 } });
    expect(await found('eva@example.com')).toMatchObject({
      givenName: 'Eva',
      familyName: 'O"Neil; Müller',
      state: 'Active',
      attributes: { team: 'sales' },
    });
  });

  it('without one has columns called as the fields; what is malformed costs its own row', async () => {
    const csv = [
      'email,name,profile.nickname',
      'csv-1@example.com,One,1st',
      'csv-2@example.com,"Tw"o,2nd',
      'csv-3@example.com,Three',
      'csv-4@example.com,Four,4th',
    ].join('\r\n');
    const { results } = await room.bring(csv, { from: 'csv' });
    expect(results.map(({ position, code, outcome }) => [position, code ?? outcome])).toEqual([
      [2, 'created'],
      [3, 'import.malformed'],
      [4, 'import.columns'],
      [5, 'created'],
    ]);
    expect(await found('csv-4@example.com')).toMatchObject({ profile: { nickname: '4th' } });
  });
});

describe('what is hostile', () => {
  const codesOf = (results: { position: number; outcome: string; code?: string | undefined }[]) =>
    results.map(({ code, outcome }) => code ?? outcome);

  it('an escaped NUL, a half surrogate and a prototype deep in a document cost their row and reach nobody', async () => {
    const before = Object.keys(Object.prototype).length;
    const { results } = await room.bring(
      [
        '{"email":"deep-1@example.com","settings":{"a":["\\u0000"]}}',
        '{"email":"deep-2@example.com","directory":{"a\\u0000":1}}',
        '{"email":"deep-3@example.com","settings":{"a":"\\ud800"}}',
        '{"email":"deep-4@example.com","settings":{"__proto__":{"administrator":true},"constructor":{"x":1}}}',
        '{"email":"deep-5@example.com","attributes":{"__proto__":"x"}}',
        '{"email":"deep-6@example.com","constructor":{"prototype":{"administrator":true}}}',
      ].join('\n'),
    );
    expect(codesOf(results)).toEqual([
      ...Array(3).fill('import.field_malformed'),
      'created',
      expect.stringMatching(/created|invalid/),
      'import.field_unknown',
    ]);
    expect((await found('deep-4@example.com')).administrator).toBe(false);
    expect([Object.keys(Object.prototype).length, ({} as { administrator?: boolean }).administrator]).toEqual([
      before,
      undefined,
    ]);
  });

  it('dates out of range, and times to come', async () => {
    const dates = ['0001-01-01', '1899-12-31', '9999-12-31T00:00:00Z', '2024-02-30', '24-01-01', 'yesterday'];
    const { results } = await room.bring([
      ...dates.map((createdAt, at) => ({ email: `date-${at}@example.com`, createdAt })),
      { email: 'future@example.com', passwordHash: bcrypt, passwordChangedAt: '2199-01-01T00:00:00Z' },
      { email: 'past@example.com', createdAt: '1970-01-01' },
    ]);
    expect(codesOf(results)).toEqual([...Array(7).fill('import.field_malformed'), 'created']);
    expect(results[6]!.details).toEqual({ field: 'passwordChangedAt' });
  });

  it('an address in another case, width or spelling is the same person', async () => {
    const { results } = await room.bring([
      { email: 'Strasse@Bücher.example', emailVerified: true },
      { email: 'sTRASSE@bÜCHER.example' },
      { email: 'ｓｔｒａｓｓｅ@xn--bcher-kva.example' },
    ]);
    const [first, ...others] = results;
    expect(first!.outcome).toBe('created');
    expect(others.map(({ item, outcome }) => [item, outcome])).toEqual(Array(2).fill([first!.item, 'skipped']));
  });

  it('an administrator is not touched by who may not make one: no fact, no password, no group', async () => {
    const chief = { email: 'top@example.com', emailVerified: true, administrator: true };
    const made = await room.bring([chief], { administrators: true });
    const id = made.results[0]!.item!;
    for (const row of [
      { email: chief.email, passwordHash: bcrypt },
      { email: chief.email, groups: ['Engineers'] },
      { id, email: 'mine@evil.example', emailVerified: true },
      { email: chief.email, totp: { secret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP' } },
    ]) {
      const { results } = await room.bring([row], { existing: 'update' });
      expect(codesOf(results)).toEqual(['import.administrator_refused']);
    }
    expect(await room.passwords.has(id)).toBe(false);
    expect(codesOf((await room.bring([{ email: chief.email }])).results)).toEqual(['unchanged']);
    const allowed = await room.bring([{ email: chief.email, passwordHash: bcrypt }], { administrators: true });
    expect(codesOf(allowed.results)).toEqual(['unchanged']);
    expect(await room.passwords.has(id)).toBe(true);
  });

  it('nothing more is brought in for an administrator who is none any more', async () => {
    const made = await room.bring([{ email: 'was@example.com', emailVerified: true, administrator: true }], {
      administrators: true,
    });
    const by = { actor: { kind: 'administrator' as const, id: made.results[0]!.item! } };
    const start = (email: string) =>
      room.transfer.start(
        {},
        (async function* () {
          yield Buffer.from(JSON.stringify({ email }));
        })(),
        by,
      );
    const before = await start('before@example.com');
    expect((await room.tasks.finish(before.id)).state).toBe('done');
    const after = await start('after@example.com');
    await room.users.change(by.actor.id, 'suspend', room.by);
    const ended = await room.tasks.finish(after.id);
    expect(ended).toMatchObject({ state: 'failed', done: 0, error: { code: 'caller.not_permitted' } });
    expect(await room.users.byEmail('after@example.com')).toBeUndefined();
  });

  it('what was a deleted person’s is not given to whoever has the address now', async () => {
    await room.bring([{ email: 'next@example.com', emailVerified: true }]);
    const next = await found('next@example.com');
    const gone = { id: newId(), email: 'next@example.com', state: 'Deleted', stateBefore: 'Active' };
    const { results } = await room.bring([{ ...gone, passwordHash: bcrypt }]);
    expect(results[0]).toMatchObject({ outcome: 'created', item: gone.id });
    expect(await room.passwords.has(next.id)).toBe(false);
    expect((await room.bring([gone])).results[0]).toMatchObject({ outcome: 'unchanged', item: gone.id });
  });

  it('a hash that names a key which is not here is refused, and would not fail each sign-in', async () => {
    const hash = (key: string) => `$devise$k=${key}$2a$05$abcdefghijklmnopqrstuuhxFS8j3UWliJqAO77oZWLlysFjMByMC`;
    const { results } = await room.bring([
      { email: 'key-1@example.com', passwordHash: hash('nowhere') },
      { email: 'key-2@example.com', passwordHash: hash('constructor') },
      { email: 'key-3@example.com', passwordHash: hash('__proto__') },
    ]);
    expect(codesOf(results)).toEqual(Array(3).fill('password.key_unknown'));
  });

  it('a table with a column twice, without one the map names, or in UTF-16 is refused as a whole', async () => {
    const map = { fields: { email: 'Mail', 'attributes.team': 'Taem' } };
    for (const [content, options, code] of [
      ['email,name,email\na@example.com,x,b@example.com\n', {}, 'import.column_repeated'],
      ['Mail,Team\na@example.com,x\n', { map }, 'import.column_missing'],
      [Buffer.from('\uFEFFemail\na@example.com\n', 'utf16le'), {}, 'import.not_utf8'],
      [Buffer.from('email\na@example.com\n', 'utf16le'), {}, 'import.nul'],
    ] as const) {
      const task = await room.bring(content, { from: 'csv', ...options });
      expect([task.state, task.error?.code, task.done]).toEqual(['failed', code, 0]);
    }
  });

  it('an export that was cut off says so: who is in it is in, and nobody takes it for the whole', async () => {
    const text = [
      '{"type":"cardea.export","version":1}',
      '{"type":"user","email":"whole-1@example.com"}',
      '{"type":"cardea.end","count":1}',
    ];
    expect(await room.bring(text.join('\n'))).toMatchObject({ state: 'done', done: 1 });
    const cut = await room.bring(text.slice(0, 2).join('\n').replace('whole-1', 'whole-2'));
    expect(cut).toMatchObject({ state: 'failed', done: 1, error: { code: 'import.truncated' } });
  });
});

describe('an export', () => {
  it('takes along what people belong to: an empty installation has the same fields, roles, groups and organisations', async () => {
    const clients = ['shop'];
    const first = await transferRoom({ clients });
    const { by } = first;
    await first.fields.put({ name: 'team', label: { en: 'Team' }, type: 'enum', options: [{ value: 'a' }] }, by);
    await first.permissions.put({ name: 'orders:refund', description: 'Give money back' }, by);
    await first.roles.put({ name: 'Clerk', scope: 'installation', permissions: ['orders:refund'] }, by);
    await first.roles.put({ name: 'Owner', scope: 'organisation' }, by);
    const acme = await first.organisations.create({ name: 'acme', displayName: 'Acme', policy: { mfa: true } }, by);
    const all = await first.groups.create({ displayName: 'Everybody' }, by);
    const some = await first.groups.create({ displayName: 'Some' }, by);
    await first.groups.addMembers(all.id, [some.id], by);
    await first.groups.create({ displayName: 'Board', organisationId: acme.id }, by);
    const clerk = (await first.roles.named('Clerk', 'installation'))!;
    await first.roles.assign(clerk.id, { kind: 'group', id: all.id }, by);
    const { results } = await first.bring([
      {
        email: 'member@example.com',
        emailVerified: true,
        attributes: { team: 'a' },
        groups: ['Some'],
        roles: ['Clerk'],
        organisations: [{ name: 'acme', roles: ['Owner'], groups: ['Board'] }],
        consents: [{ client: 'shop', scopes: ['openid', 'email'], givenAt: '2026-01-01T00:00:00.000Z' }],
      },
      {
        email: 'stranger@example.com',
        roles: ['None'],
        organisations: [{ name: 'nil' }, { name: 'acme', roles: ['X'] }],
      },
    ]);
    expect(results[0]).toEqual({ position: 1, outcome: 'created', item: expect.any(String) });
    expect(results[1]).toMatchObject({
      code: 'import.membership_unknown',
      details: { roles: ['None', 'acme/X'], organisations: ['nil'] },
    });

    const text = await first.everybody({ format: 'ndjson', secrets: false });
    const second = await transferRoom({ clients });
    const brought = await second.bring(text, { definitions: true });
    expect(brought).toMatchObject({ state: 'done', failed: 0, tally: { created: 2, defined: 9 } });
    const lines = (all: string) => all.split('\n').slice(1);
    expect(lines(await second.everybody({ format: 'ndjson', secrets: false }))).toEqual(lines(text));
    const member = (await second.users.byEmail('member@example.com'))!;
    const facts = createFacts({ db: second.db, mostGroups: 10 });
    const place = (await second.organisations.called('acme'))!;
    expect(await facts.factsOf(member.id, place.id)).toMatchObject({
      groups: [{ name: 'Everybody' }, { name: 'Some' }],
      permissions: ['orders:refund'],
      organisation: { name: 'acme', roles: ['Owner'] },
    });
    const types = (await second.events.history({ subject: member.id })).map(({ type }) => type);
    expect(types).toEqual(expect.arrayContaining(['role.assigned', 'organisation.member_added', 'group.member_added']));
    expect(Object.keys((await second.bring(text, { definitions: true })).tally)).toEqual(['unchanged']);
    await first.stop();
    await second.stop();
  });

  it('gives everything back, and an import takes it: nothing is lost on the way', async () => {
    const first = await transferRoom();
    await first.bring(
      [
        {
          id: newId(),
          externalId: 'x-1',
          userName: 'ada',
          email: 'ada@example.com',
          emailVerified: '2024-02-03T04:05:06.000Z',
          name: 'Ada',
          locale: 'de',
          profile: { nickname: 'A', address: { country: 'UK' } },
          directory: { department: 'Engines' },
          settings: { theme: 'dark' },
          passwordHash: bcrypt,
          passwordChangedAt: '2020-01-01T00:00:00.000Z',
          totp: { secret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP' },
          recoveryCodes: ['abcde-fghjk', 'mnpqr-stuvw'],
          passkeys: [
            {
              credentialId: 'YWJj',
              publicKey: 'ZGVm',
              signCount: 7,
              transports: ['internal'],
              aaguid: '00000000-0000-0000-0000-000000000000',
              backupEligible: true,
              backedUp: false,
              name: 'Phone',
            },
          ],
          groups: ['Engineers', 'Owners'],
          createdAt: '2019-01-01T00:00:00.000Z',
          lastSignInAt: '2025-01-01T00:00:00.000Z',
        },
        { email: 'gone@example.com', state: 'Deleted', stateBefore: 'Active', administrator: true },
        { userName: 'only-a-name' },
      ],
      { createGroups: true, administrators: true, pepper: 'unused' },
    );
    await first.bring(
      'email,passwordHash\npep@example.com,$2a$05$abcdefghijklmnopqrstuuhxFS8j3UWliJqAO77oZWLlysFjMByMC\n',
      {
        from: 'csv',
        pepper: 'a pepper of ours',
      },
    );
    const text = await first.everybody({ format: 'ndjson', secrets: true });
    const second = await transferRoom();
    const brought = await second.bring(text, { createGroups: true, administrators: true });
    expect(brought).toMatchObject({ state: 'done', tally: { created: 4 }, failed: 0 });
    const again = await second.everybody({ format: 'ndjson', secrets: true });
    const lines = (all: string) =>
      all
        .trim()
        .split('\n')
        .slice(1, -1)
        .map((line) => JSON.parse(line));
    expect(lines(again)).toEqual(lines(text));

    const pep = (await second.users.byEmail('pep@example.com'))!;
    expect(await second.passwords.check(pep.id, 'correct horse'), 'the pepper came along').toBe(true);
    const ada = (await second.users.byEmail('ada@example.com'))!;
    expect(await second.passwords.check(ada.id, 'lètmein')).toBe(true);
    const [{ left }] = (await second.db.query<{ left: number }>(
      'select count(*)::int as left from recovery_code where user_id = $1',
      [ada.id],
    )) as [{ left: number }];
    expect(left, 'the same CARDEA_SECRET: the codes are good').toBe(2);
    expect((await second.bring(text, { administrators: true })).tally).toEqual({ unchanged: 4 });
    await first.stop();
    await second.stop();
  });

  it('without secrets holds nothing to sign in with, and is written down before it begins', async () => {
    const text = await room.everybody({ format: 'ndjson', secrets: false });
    expect(text).toContain('ada@example.com');
    expect(text).not.toMatch(/\$2b\$|\$argon2|JBSWY3DP|mac"|"keys"/);
    expect(await room.events.history({ type: 'users.export_started', limit: 1 })).toMatchObject([
      { data: { secrets: false, format: 'ndjson' } },
    ]);
  });

  it('as CSV cannot make a spreadsheet compute', async () => {
    await room.bring([
      { email: 'formula@example.com', name: '=HYPERLINK("http://evil.example","x")', familyName: '+1', userName: '@x' },
    ]);
    const text = await room.everybody({ format: 'csv', secrets: true });
    const line = text.split('\r\n').find((row) => row.includes('formula@example.com'))!;
    expect(line).toContain(`"'=HYPERLINK(""http://evil.example"",""x"")"`);
    expect(line).toContain(",'@x,");
    expect(text).not.toMatch(/[,\n"][=+@]/);
  });
});
