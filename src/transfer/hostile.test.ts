import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bcrypt, transferRoom } from '../../test/support/transfer.ts';
import { newId } from '../platform/index.ts';

let room: Awaited<ReturnType<typeof transferRoom>>;
beforeAll(async () => {
  room = await transferRoom({ fields: ['team'] });
});
afterAll(() => room.stop());

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
    expect((await room.found('deep-4@example.com')).administrator).toBe(false);
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
    const next = await room.found('next@example.com');
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
