import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bcrypt, transferRoom } from '../../test/support/transfer.ts';

let room: Awaited<ReturnType<typeof transferRoom>>;
beforeAll(async () => {
  room = await transferRoom({ fields: ['team'] });
});
afterAll(() => room.stop());

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
    const ada = await room.found('ada@example.com');
    expect(ada).toMatchObject({ state: 'Active', externalId: 'e-1', userName: 'ada', attributes: { team: 'engines' } });
    expect(await room.passwords.check(ada.id, 'lètmein')).toBe(true);
    expect(await room.totp.of(ada.id)).toBeDefined();
    expect(await room.groups.of(ada.id)).toMatchObject([{ displayName: 'Engineers' }]);
    const grace = await room.found('grace@example.com');
    expect(grace.state, 'asked to prove the address at the first sign-in').toBe('Created');
    expect(await room.passwords.check(grace.id, 'ember lantern quietly')).toBe(true);
    const held = await room.found('held@example.com');
    expect(held).toMatchObject({ state: 'Suspended', stateReason: 'on leave' });
    await room.users.change(held.id, 'reactivate', room.by);
    expect((await room.found('held@example.com')).state).toBe('Active');
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
    const ida = await room.found('ida@example.com');
    expect(await room.passwords.check(ida.id, 'lètmein')).toBe(true);
    const changed = [
      { ...rows[0], name: 'Ida R.' },
      { ...rows[1], email: 'johan@example.com', passwordHash: bcrypt },
    ];
    const skipped = await room.bring(changed);
    expect(skipped.tally).toEqual({ skipped: 2 });
    expect(skipped.results[0]).toMatchObject({ position: 1, outcome: 'skipped', details: { fields: ['name'] } });
    expect((await room.bring(changed, { existing: 'update' })).tally).toEqual({ updated: 2 });
    expect((await room.found('ida@example.com')).name).toBe('Ida R.');
    expect(await room.found('johan@example.com')).toMatchObject({ externalId: 'i-2' });
    const [row] = await room.db.query<{ hash: string }>('select hash from password where user_id = $1', [ida.id]);
    expect(row!.hash, 'an import never puts an old password back').toContain('$argon2id$');
    expect(await room.passwords.has((await room.found('johan@example.com')).id), 'but gives one to who has none').toBe(
      true,
    );
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
    expect((await room.found('ada@example.com')).name).toBe('Ada Lovelace');
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
    expect(await room.groups.of((await room.found('joins@example.com')).id)).toHaveLength(1);
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
    expect(await room.found('eva@example.com')).toMatchObject({
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
    expect(await room.found('csv-4@example.com')).toMatchObject({ profile: { nickname: '4th' } });
  });
});
