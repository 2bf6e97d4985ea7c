import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGround } from '../../../test/support/ground.ts';
import { createEvents } from '../../events/index.ts';
import { newId } from '../../platform/index.ts';
import { createGroups } from '../groups/groups.ts';
import { createFacts } from '../roles/facts.ts';
import { createPermissions } from '../roles/permissions.ts';
import { createRoles } from '../roles/roles.ts';
import { createOrganisations, type Organisations } from './index.ts';
import { combined, methodsOf, noPolicy, policySchema } from './policy.ts';

let ground: Awaited<ReturnType<typeof createGround>>;
let organisations: Organisations;
let roles: ReturnType<typeof createRoles>;
let permissions: ReturnType<typeof createPermissions>;
let groups: ReturnType<typeof createGroups>;
let facts: ReturnType<typeof createFacts>;
/** The DNS: name → TXT records, or the code of an error. */
const dns = new Map<string, string[] | string>();
const letters: { letter: string; to: string; params: Record<string, unknown> }[] = [];
const by = { actor: { kind: 'system' as const } };

beforeAll(async () => {
  ground = await createGround();
  const events = createEvents(ground);
  roles = createRoles({ ...ground, events });
  permissions = createPermissions({ ...ground, events });
  groups = createGroups({ ...ground, events });
  facts = createFacts({ db: ground.db, mostGroups: 3 });
  organisations = createOrganisations({
    ...ground,
    events,
    facts,
    roles,
    mail: { send: async (letter, posting) => void letters.push({ letter, ...posting } as never) },
    resolveTxt: async (name) => {
      const found = dns.get(name) ?? 'ENOTFOUND';
      if (typeof found === 'string') throw Object.assign(new Error(found), { code: found });
      return found.map((record) => [record]);
    },
    home: 'http://id/account/organisations',
    invitationLink: (token) => `http://id/invitation?token=${token}`,
    invitationLife: 3_600,
  });
  await permissions.put({ name: 'a:read' }, by);
  await permissions.put({ name: 'a:write' }, by);
});
afterAll(() => ground.close());

let counter = 0;
const place = () => organisations.create({ name: `org-${++counter}` }, by);
async function person(email = `p${++counter}@example.com`, verified = true, state = 'Active') {
  const id = newId();
  await ground.db.query(
    `insert into user_account (id, state, state_changed_at, email, email_key, email_verified_at, created_at, updated_at)
     values ($1, $2, $3, $4, $4, $5, $3, $3)`,
    [id, state, ground.clock.now(), email, verified ? ground.clock.now() : null],
  );
  return { id, email, isEmailVerified: () => verified };
}
const role = async (name: string, scope: 'installation' | 'organisation', allowed: string[] = []) => {
  await roles.put({ name, scope, permissions: allowed }, by);
  return (await roles.named(name, scope))!.id;
};
const refusal = (code: string) => expect.objectContaining({ code });

describe('an invitation', () => {
  it('goes by letter in the reader’s language, but not to who wants no letters about their account', async () => {
    const { id } = await place();
    const [reader, quiet] = [await person(), await person()];
    await ground.db.query(`update user_account set locale = 'de' where id = $1`, [reader.id]);
    const settings = JSON.stringify({ notifications: { account: { email: false } } });
    await ground.db.query('update user_account set settings = $2 where id = $1', [quiet.id, settings]);
    letters.length = 0;
    for (const { email } of [reader, quiet]) await organisations.invitations.invite({ organisationId: id, email }, by);
    expect(letters).toMatchObject([{ letter: 'organisation-invitation', to: reader.email, locale: 'de' }]);
    expect(await organisations.invitations.openTo(quiet)).toHaveLength(1);
  });
});

describe('roles', () => {
  it('reach people through groups in groups, and none of another organisation', async () => {
    const { id } = await person();
    const [here, there] = [await place(), await place()];
    await organisations.members.add(here.id, id, by);
    const inner = await groups.create({ displayName: 'inner', members: [id] }, by);
    const outer = await groups.create({ displayName: 'outer', members: [inner.id] }, by);
    const crew = await groups.create({ displayName: 'crew', organisationId: here.id, members: [id] }, by);
    const others = await groups.create({ displayName: 'others', organisationId: there.id, members: [id] }, by);
    await roles.assign(await role('reader', 'installation', ['a:read']), { kind: 'group', id: outer.id }, by);
    await roles.assign(await role('writer', 'organisation', ['a:write']), { kind: 'group', id: crew.id }, by);
    await roles.assign(await role('spy', 'organisation', ['a:read']), { kind: 'group', id: others.id }, by);
    expect(await facts.factsOf(id, here.id)).toMatchObject({
      groups: [{ name: 'inner' }, { name: 'outer' }],
      roles: ['reader'],
      permissions: ['a:read'],
      organisation: { id: here.id, roles: ['writer'], permissions: ['a:write'] },
    });
    expect((await facts.factsOf(id, there.id)).organisation).toBeUndefined();
    expect(await facts.has(id, 'a:write')).toBe(false);
    expect(await facts.has(id, 'a:write', { organisation: here.id })).toBe(true);
    expect(await facts.rolesOf(id, { organisation: there.id })).toEqual([]);
    for (const odd of ['', 'x', "' or true"]) expect((await facts.factsOf(odd, odd)).roles).toEqual([]);
  });

  it('of organisations and of the installation are not mistaken for one another', async () => {
    const { id } = await person();
    const here = await place();
    const crew = await groups.create({ displayName: 'crew', organisationId: here.id }, by);
    const wide = await role('wide', 'installation');
    const narrow = await role('narrow', 'organisation');
    const cases = [
      [narrow, { kind: 'user', id }],
      [wide, { kind: 'group', id: crew.id }],
    ] as const;
    for (const [roleId, subject] of cases)
      await expect(roles.assign(roleId, subject, by)).rejects.toEqual(refusal('role.scope_mismatch'));
    await expect(organisations.members.add(here.id, id, by, [wide])).rejects.toEqual(refusal('role.unknown'));
    expect(await organisations.members.isMember(here.id, id)).toBe(false);
    await expect(role('odd', 'installation', ['never:named'])).rejects.toEqual(refusal('permission.unknown'));
  });

  it('that are removed are gone from everybody, and a permission from every role', async () => {
    const { id } = await person();
    const gone = await role('gone', 'installation', ['a:read']);
    await roles.assign(gone, { kind: 'user', id }, by);
    await roles.remove(gone, by);
    expect((await facts.factsOf(id)).roles).toEqual([]);
    await permissions.put({ name: 'short:lived' }, by);
    const kept = await role('kept', 'installation', ['short:lived', 'a:read']);
    await permissions.remove('short:lived', by);
    expect((await roles.find(kept))!.permissions).toEqual(['a:read']);
  });
});

describe('invitations', () => {
  it('are accepted once, whoever else tries at the same moment', async () => {
    const here = await place();
    const user = await person();
    const lead = await role('lead', 'organisation');
    const { id } = await organisations.invitations.invite(
      { organisationId: here.id, email: user.email.toUpperCase(), roles: [lead] },
      by,
    );
    const tries = await Promise.allSettled(
      Array.from({ length: 32 }, () => organisations.invitations.accept(id, user, by)),
    );
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await organisations.members.find(here.id, user.id)).toMatchObject({ roles: ['lead'] });
  });

  it('are for the address they went to, proved, and for nobody else', async () => {
    const here = await place();
    const email = `invited${++counter}@example.com`;
    const { id } = await organisations.invitations.invite({ organisationId: here.id, email }, by);
    const link = new URL(letters.at(-1)!.params.link as string).searchParams.get('token')!;
    expect(await organisations.invitations.peek(link)).toMatchObject({ id, organisation: here.displayName });
    for (const other of [await person(), await person(email, false)]) {
      expect(await organisations.invitations.openTo(other)).toEqual([]);
      await expect(organisations.invitations.accept(id, other, by)).rejects.toEqual(refusal('invitation.refused'));
      expect(await organisations.invitations.decline(id, other, by)).toBe(false);
    }
  });

  it('end by time, by a newer one, by being withdrawn, and with the organisation', async () => {
    const here = await place();
    const user = await person();
    const invite = () => organisations.invitations.invite({ organisationId: here.id, email: user.email }, by);
    const dead = async (id: string) =>
      expect(organisations.invitations.accept(id, user, by)).rejects.toEqual(refusal('invitation.refused'));
    const first = await invite();
    const second = await invite();
    await dead(first.id);
    expect(await organisations.invitations.withdraw((await place()).id, second.id, by)).toBe(false);
    expect(await organisations.invitations.withdraw(here.id, second.id, by)).toBe(true);
    await dead(second.id);
    const third = await invite();
    ground.clock.move(3_601);
    await dead(third.id);
    const fourth = await invite();
    await organisations.remove(here.id, by);
    await dead(fourth.id);
  });

  it('say nothing of whether the address has an account', async () => {
    const here = await place();
    const known = await person();
    const keys = async (email: string) =>
      Object.keys(await organisations.invitations.invite({ organisationId: here.id, email }, by)).sort();
    expect(await keys(known.email)).toEqual(await keys('nobody.there@example.com'));
    await expect(keys('not an address')).rejects.toEqual(refusal('user.email_malformed'));
  });
});

describe('domains', () => {
  const prefix = 'cardea-domain-verification=';

  it('belong to the one organisation that proves them, of two at the same moment', async () => {
    const places = [await place(), await place()];
    const records = [];
    for (const { id } of places) records.push((await organisations.domains.claim(id, 'Race.Example.', by)).record);
    dns.set('race.example', records);
    const tries = await Promise.allSettled(
      Array.from({ length: 16 }, (_, n) => organisations.domains.prove(places[n % 2]!.id, 'race.example', by)),
    );
    const won = tries.flatMap((each, n) => (each.status === 'fulfilled' ? [n % 2] : []));
    expect(new Set(won).size).toBe(1);
    const lost = tries.flatMap((each) => (each.status === 'rejected' ? [each.reason.code] : []));
    expect(new Set(lost)).toEqual(new Set(['domain.taken']));
    expect(await organisations.domains.organisationOfDomain('RACE.example')).toMatchObject({ id: places[won[0]!]!.id });
    expect(await organisations.domains.organisationOfDomain('sub.race.example')).toBeUndefined();
  });

  it('are proved by the record that was made for this organisation alone', async () => {
    const [mine, theirs] = [await place(), await place()];
    const { record } = await organisations.domains.claim(mine.id, 'own.example', by);
    const other = await organisations.domains.claim(theirs.id, 'own.example', by);
    const prove = () => organisations.domains.prove(mine.id, 'own.example', by);
    await expect(prove()).rejects.toEqual(refusal('domain.unproved'));
    dns.set('_cardea-challenge.own.example', [other.record, `${prefix}`, `x${record}`]);
    await expect(prove()).rejects.toEqual(refusal('domain.unproved'));
    dns.set('_cardea-challenge.own.example', 'ESERVFAIL');
    await expect(prove()).rejects.toEqual(refusal('domain.unreachable'));
    dns.set('_cardea-challenge.own.example', ['v=spf1', record]);
    expect((await prove()).provedAt).toBeDefined();
    await expect(organisations.domains.prove((await place()).id, 'own.example', by)).rejects.toEqual(
      refusal('domain.unknown'),
    );
  });

  it.each([
    '',
    'com',
    'localhost',
    '10.0.0.1',
    'a..b',
    'exa mple.com',
    '-a.com',
    'x'.repeat(300),
    '*.example.com',
    'a.com/b',
    'a@b.com',
    '[::1]',
  ])('%j is no domain to claim', async (text) => {
    await expect(organisations.domains.claim((await place()).id, text, by)).rejects.toEqual(
      refusal('domain.malformed'),
    );
  });

  it('are not proved by answers of the DNS that are huge or hostile, which cost little', async () => {
    const here = await place();
    const { record } = await organisations.domains.claim(here.id, 'hostile.example', by);
    const began = performance.now();
    for (const records of [
      Array.from({ length: 20_000 }, (_, n) => `${record}${n}`),
      ['x'.repeat(5_000_000), '\u0000', '', `${record}\u0000`, record.toUpperCase(), `"${record}"`],
    ]) {
      dns.set('_cardea-challenge.hostile.example', records);
      const refused = organisations.domains.prove(here.id, 'hostile.example', by);
      await expect(refused).rejects.toEqual(refusal('domain.unproved'));
    }
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  it('are lost once their record has been gone for days, and silence of the DNS loses nothing', async () => {
    const here = await place();
    const keeper = await person();
    await ground.db.query('update user_account set administrator = true where id = $1', [keeper.id]);
    const { record } = await organisations.domains.claim(here.id, 'fading.example', by);
    dns.set('fading.example', [record]);
    await organisations.domains.prove(here.id, 'fading.example', by);
    const state = async () => (await organisations.domains.list(here.id))[0]!;
    const dayLater = async () => {
      ground.clock.move(86_401);
      await organisations.maintain();
    };
    dns.set('fading.example', 'ETIMEOUT');
    for (let day = 0; day < 6; day++) await dayLater();
    expect(await state()).toMatchObject({ failures: 0, provedAt: expect.any(Date) });
    dns.set('fading.example', ['something else']);
    for (let day = 0; day < 3; day++) await dayLater();
    expect(await state()).toMatchObject({ failures: 3, provedAt: expect.any(Date) });
    dns.set('fading.example', [record]);
    await dayLater();
    expect(await state()).toMatchObject({ failures: 0 });
    dns.delete('fading.example');
    for (let day = 0; day < 4; day++) await dayLater();
    expect((await state()).provedAt).toBeUndefined();
    expect(letters.at(-1)).toMatchObject({
      letter: 'domain-lost',
      to: keeper.email,
      params: { domain: 'fading.example' },
    });
    expect(await organisations.domains.organisationOfDomain('fading.example')).toBeUndefined();
  });
});

describe('a policy', () => {
  it('is the organisation’s of the request and that of the address together', async () => {
    const asked = await organisations.create({ name: 'asked', policy: { methods: ['password', 'passkey'] } }, by);
    const own = await organisations.create(
      { name: 'own', policy: { mfa: true, methods: ['passkey', 'federation'], providers: ['corp'] } },
      by,
    );
    const { record } = await organisations.domains.claim(own.id, 'ruled.example', by);
    dns.set('ruled.example', [record]);
    await organisations.domains.prove(own.id, 'ruled.example', by);
    expect(await organisations.policyFor({ organisation: asked.id, email: 'X@RULED.example' })).toEqual({
      mfa: true,
      methods: ['passkey'],
      providers: ['corp'],
    });
    expect(await organisations.policyFor({ email: 'x@free.example' })).toEqual(noPolicy);
    expect(await organisations.hasRules()).toBe(true);
  });

  it('knows the ways by what was proved', () => {
    expect(methodsOf(['pwd', 'otp'])).toEqual(['password']);
    expect(methodsOf(['hwk', 'user'])).toEqual(['passkey']);
    expect(methodsOf(['pwd', 'hwk'])).toEqual(['password']);
    expect(methodsOf(['otp'])).toEqual(['code']);
    expect(methodsOf(['fed', 'otp'])).toEqual(['federation']);
    const both = combined(policySchema.parse({ methods: ['password'] }), policySchema.parse({ methods: ['passkey'] }));
    expect(both.methods).toEqual([]);
  });
});

describe('an organisation', () => {
  it('changes as its caller saw it, and its name is its own', async () => {
    const here = await place();
    const changed = await organisations.update(here.id, { displayName: ' New\u0000 name ', version: 1 }, by);
    expect(changed).toMatchObject({ displayName: 'New name', version: 2 });
    await expect(organisations.update(here.id, { displayName: 'Late', version: 1 }, by)).rejects.toEqual(
      refusal('organisation.changed'),
    );
    const other = await place();
    await expect(organisations.update(other.id, { name: here.name }, by)).rejects.toEqual(
      refusal('organisation.exists'),
    );
    for (const name of ['', 'Big', 'a b', '1a', newId(), 'x'.repeat(64)])
      await expect(organisations.create({ name }, by)).rejects.toEqual(refusal('organisation.malformed'));
    const made = await Promise.allSettled(Array.from({ length: 8 }, () => organisations.create({ name: 'twins' }, by)));
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('loses a member whole: roles, its groups, and nothing elsewhere', async () => {
    const [here, there] = [await place(), await place()];
    const user = await person();
    const chief = await role('chief', 'organisation');
    for (const { id } of [here, there]) await organisations.members.add(id, user.id, by, [chief]);
    const crew = await groups.create({ displayName: 'crew', organisationId: here.id, members: [user.id] }, by);
    expect(await organisations.members.remove(here.id, user.id, by)).toBe(true);
    expect(await organisations.members.remove(here.id, user.id, by)).toBe(false);
    expect(await groups.has(crew.id, user.id)).toBe(false);
    expect(await organisations.members.organisationsOf(user.id)).toMatchObject([{ id: there.id, roles: ['chief'] }]);
    await expect(organisations.members.setRoles(here.id, user.id, [], by)).rejects.toEqual(
      refusal('organisation.member_unknown'),
    );
    await expect(organisations.members.add(here.id, newId(), by)).rejects.toEqual(refusal('user.unknown'));
  });
});
