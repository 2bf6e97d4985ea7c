import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGround } from '../../../test/support/ground.ts';
import { createEvents } from '../../events/index.ts';
import { newId } from '../../platform/index.ts';
import { createGroups, type Groups } from './groups.ts';

const by = { actor: { kind: 'client' as const, id: 'directory' } };

let ground: Awaited<ReturnType<typeof createGround>>;
let groups: Groups;
beforeAll(async () => {
  ground = await createGround();
  groups = createGroups({ ...ground, events: createEvents(ground) });
});
afterAll(() => ground.close());

/** People as rows; nothing here asks for more of them. */
async function people(count: number, more: { state?: string; domain?: string } = {}): Promise<string[]> {
  const ids = Array.from({ length: count }, () => newId());
  await ground.db.query(
    `insert into user_account (id, state, state_changed_at, name, provisioning_domain, created_at, updated_at)
     select id, $2, $3, 'Somebody', $4, $3, $3 from unnest($1::uuid[]) as t (id)`,
    [ids, more.state ?? 'Active', ground.clock.now(), more.domain ?? null],
  );
  return ids;
}
const group = async (members: string[] = [], displayName = 'A group') =>
  (await groups.create({ displayName, members }, by)).id;
const idsOf = async (id: string) => (await groups.members(id)).map((member) => member.id);
const told = (type: string, group: string) =>
  ground.db.query<{ subject: string | null; data: { members?: string[] } }>(
    `select subject, data from audit_event where type = $1 and data ->> 'group' = $2`,
    [type, group],
  );

describe('a group', () => {
  it('is made, renamed and removed, and each change counts its version', async () => {
    const made = await groups.create({ displayName: '  Crew ', externalId: 'x-1' }, by);
    expect(made).toMatchObject({ displayName: 'Crew', externalId: 'x-1', version: 1 });
    const renamed = await groups.update(made.id, by, { displayName: 'Team', version: 1 });
    expect(renamed).toMatchObject({ displayName: 'Team', externalId: 'x-1', version: 2 });
    await expect(groups.update(made.id, by, { displayName: 'Late', version: 1 })).rejects.toMatchObject({
      code: 'group.changed',
    });
    expect(await groups.update(made.id, by, { externalId: null })).toMatchObject({ externalId: undefined, version: 3 });
    await groups.remove(made.id, by);
    expect(await groups.find(made.id)).toBeUndefined();
    await expect(groups.remove(made.id, by)).rejects.toMatchObject({ code: 'group.unknown' });
    for (const type of ['group.created', 'group.updated', 'group.deleted'])
      expect(await told(type, made.id)).not.toHaveLength(0);
  });

  it('has a name, and nothing is found by what is no id', async () => {
    for (const displayName of ['', '  ', 'a\u0000b', 'x'.repeat(257)])
      await expect(groups.create({ displayName }, by)).rejects.toMatchObject({ code: 'group.name_malformed' });
    for (const id of ['', 'x', "' or 1=1", 'ABCDEFAB-0000-0000-0000-000000000000', '\0']) {
      expect(await groups.find(id)).toBeUndefined();
      expect(await groups.of(id)).toEqual([]);
      expect(await groups.members(id)).toEqual([]);
    }
  });
});

describe('members', () => {
  it('come and go, and who is there already changes nothing', async () => {
    const [a, b, c] = (await people(3)) as [string, string, string];
    const id = await group([a]);
    expect(await groups.addMembers(id, [a, b, b], by)).toBe(1);
    expect(await groups.addMembers(id, [a, b], by)).toBe(0);
    expect(await groups.find(id)).toMatchObject({ version: 2 });
    expect(await groups.removeMembers(id, [a, c, 'not an id'], by)).toBe(1);
    expect(await groups.replaceMembers(id, [c], by)).toBe(2);
    expect(await idsOf(id)).toEqual([c]);
    expect((await told('group.member_added', id)).map(({ subject }) => subject)).toEqual([a, b, c]);
  });

  it('that nobody knows, are deleted, or of another domain are refused, and nothing is done', async () => {
    const [a] = (await people(1)) as [string];
    const [deleted] = (await people(1, { state: 'Deleted' })) as [string];
    const [foreign] = (await people(1, { domain: 'other' })) as [string];
    const id = await group();
    for (const members of [
      [a, newId()],
      [a, deleted],
      [a, 'x'],
    ])
      await expect(groups.addMembers(id, members, by)).rejects.toMatchObject({ code: 'group.member_unknown' });
    const refused = groups.addMembers(id, [foreign], by, { domain: 'mine' });
    await expect(refused).rejects.toMatchObject({ code: 'group.member_unknown' });
    expect(await idsOf(id)).toEqual([]);
  });

  it('stay members while they are deleted, unseen', async () => {
    const [a, b] = (await people(2)) as [string, string];
    const id = await group([a, b]);
    await ground.db.query(`update user_account set state = 'Deleted' where id = $1`, [a]);
    expect(await idsOf(id)).toEqual([b]);
    // A sender that repeats what it last saw does not throw out whoever may be recovered.
    await groups.replaceMembers(id, [a, b], by);
    await ground.db.query(`update user_account set state = 'Active' where id = $1`, [a]);
    expect(await idsOf(id)).toEqual([a, b].sort());
  });

  it('are 100,000, of whom a few come and go without the rest being read', async () => {
    const many = await people(100_000);
    const id = await group();
    await groups.addMembers(id, many, by);
    expect(await told('group.member_added', id)).toHaveLength(200);
    const [fresh] = (await people(1)) as [string];
    const started = performance.now();
    expect(await groups.addMembers(id, [fresh], by)).toBe(1);
    expect(await groups.removeMembers(id, [many[500]!], by)).toBe(1);
    expect(await groups.has(id, fresh)).toBe(true);
    expect(performance.now() - started).toBeLessThan(1_000);
    const first = await groups.members(id, { limit: 10 });
    const second = await groups.members(id, { limit: 10, after: first.at(-1)!.id });
    expect(new Set([...first, ...second].map((member) => member.id)).size).toBe(20);
  }, 60_000);
});

describe('groups in groups', () => {
  it('make their people members, however deep', async () => {
    const [a] = (await people(1)) as [string];
    const inner = await group([a], 'inner');
    const middle = await group([inner], 'middle');
    const outer = await group([middle], 'outer');
    expect((await groups.of(a)).map(({ displayName }) => displayName)).toEqual(['inner', 'middle', 'outer']);
    expect((await groups.directlyOf(a)).map(({ displayName }) => displayName)).toEqual(['inner']);
    expect(await groups.has(outer, a)).toBe(true);
    expect((await groups.members(outer))[0]).toMatchObject({ kind: 'group', display: 'middle' });
    await groups.remove(middle, by);
    expect(await groups.find(outer)).toMatchObject({ version: 2 });
    expect(await groups.members(outer)).toEqual([]);
    expect(await groups.has(outer, a)).toBe(false);
  });

  it('never go round in a circle', async () => {
    const c = await group();
    const b = await group([c]);
    const a = await group([b]);
    for (const [inside, outside] of [
      [a, a],
      [a, b],
      [a, c],
    ] as const)
      await expect(groups.addMembers(outside, [inside], by)).rejects.toMatchObject({ code: 'group.cycle' });
    await expect(groups.replaceMembers(c, [a], by)).rejects.toMatchObject({ code: 'group.cycle' });
  });

  it('never go round in a circle, when everybody nests at once', async () => {
    const ring = await Promise.all(Array.from({ length: 8 }, () => group()));
    const outcomes = await Promise.allSettled(
      ring.flatMap((id, at) => [1, 2, 5, 7].map((step) => groups.addMembers(id, [ring[(at + step) % 8]!], by))),
    );
    const refusals = outcomes.filter((each) => each.status === 'rejected').map((each) => each.reason.code);
    expect(new Set(refusals)).toEqual(new Set(['group.cycle']));
    const [circle] = await ground.db.query<{ count: number }>(
      `with recursive down (start, id) as (
         select group_id, member_id from group_member where group_id = any($1::uuid[])
         union select d.start, m.member_id from down d join group_member m on m.group_id = d.id)
       select count(*)::int as count from down where start = id`,
      [ring],
    );
    expect(circle!.count).toBe(0);
  });

  it('can be removed and nested at once, and nothing is left that is not there', async () => {
    for (let round = 0; round < 5; round++) {
      const [inner, outer] = [await group(), await group()];
      await Promise.allSettled([
        groups.addMembers(outer, [inner], by),
        groups.remove(inner, by),
        groups.remove(outer, by),
      ]);
    }
    const left = await ground.db.query(
      `select 1 from group_member m where member_kind = 'group' and not exists (select 1 from user_group where id = m.member_id)`,
    );
    expect(left).toEqual([]);
  });
});
