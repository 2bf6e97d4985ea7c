import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bcrypt, transferRoom } from '../../test/support/transfer.ts';
import { newId } from '../platform/index.ts';
import { createFacts } from '../users/index.ts';

let room: Awaited<ReturnType<typeof transferRoom>>;
beforeAll(async () => {
  room = await transferRoom({ fields: ['team'] });
});
afterAll(() => room.stop());

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
    const totp = { secret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP' };
    const held = { passwordHash: bcrypt, totp, recoveryCodes: ['abcde-fghjk'] };
    expect((await room.bring([{ email: 'ada@example.com', emailVerified: true, ...held }])).tally).toEqual({
      created: 1,
    });
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
