import type { Events } from '../../events/index.ts';
import type { Db } from '../../platform/db/index.ts';
import { type Clock, isId, Refusal } from '../../platform/index.ts';
import type { Change } from '../states.ts';
import { above, type Member } from './belonging.ts';

type By = Omit<Change, 'at'>;

/** Which of some ids are people and which are groups. */
export interface Resolved {
  people: ReadonlySet<string>;
  groups: ReadonlySet<string>;
}

/** Up to so many at once, each person's own history tells of it; more are told together. */
const mostEach = 20;
const toldTogether = 500;

export function createMembership({ db, events, clock }: { db: Db; events: Pick<Events, 'record'>; clock: Clock }) {
  /** Whoever nests groups waits here: two that look at once would each see no circle and together close one. */
  const lockNesting = () => db.lock('groups.nesting');

  const tell = async (type: 'group.member_added' | 'group.member_removed', group: string, ids: string[], by: By) => {
    if (ids.length <= mostEach) {
      for (const subject of ids) await events.record({ type, ...by, subject, data: { group } });
      return;
    }
    for (let at = 0; at < ids.length; at += toldTogether) {
      const members = ids.slice(at, at + toldTogether);
      await events.record({ type, ...by, data: { group, members } });
    }
  };

  const unknown = (members: readonly string[]) =>
    new Refusal('group.member_unknown', { kind: 'invalid', details: { members: members.slice(0, 10) } });

  /**
   * Looks up who the ids are. Comes before a group's row is locked: whoever nests groups takes the lock of nesting first,
   * so that no two wait for each other.
   */
  const resolve = async (ids: readonly string[], domain?: string): Promise<Resolved> => {
    const sound = [...new Set(ids.filter(isId))];
    const where = 'id = any($1::uuid[]) and ($2::text is null or provisioning_domain = $2)';
    const found = async (table: string) =>
      new Set(
        (await db.query<{ id: string }>(`select id from ${table} where ${where}`, [sound, domain ?? null])).map(
          ({ id }) => id,
        ),
      );
    const people =
      sound.length === 0 ? new Set<string>() : await found(`(select * from user_account where state <> 'Deleted') u`);
    if (people.size === sound.length) return { people, groups: new Set() };
    await lockNesting();
    return { people, groups: await found('user_group') };
  };

  /** @throws Refusal `group.cycle` when the group is, or is somewhere in, one of those it is to contain */
  const refuseCircles = async (group: string, candidates: string[]) => {
    if (candidates.length === 0) return;
    const circle = await db.query(
      `${above} select 1 from above where id = any($2::uuid[]) union all select 1 where $1 = any($2::uuid[]) limit 1`,
      [group, candidates],
    );
    if (circle.length > 0) throw new Refusal('group.cycle', { kind: 'invalid' });
  };

  const insert = async (group: string, ids: string[], kind: Member['kind']) =>
    ids.length === 0
      ? []
      : db.query<{ member_id: string }>(
          `insert into group_member (group_id, member_id, member_kind, added_at)
       select $1, unnest($2::uuid[]), $3, $4 on conflict do nothing returning member_id`,
          [group, ids, kind, clock.now()],
        );

  const add = async (
    group: string,
    members: readonly string[],
    { people, groups }: Resolved,
    by: By,
  ): Promise<number> => {
    const ids = [...new Set(members)];
    const missing = ids.filter((id) => !people.has(id) && !groups.has(id));
    if (missing.length > 0) throw unknown(missing);
    const nested = ids.filter((id) => groups.has(id));
    await refuseCircles(group, nested);
    const added = [
      ...(await insert(
        group,
        ids.filter((id) => people.has(id)),
        'user',
      )),
      ...(await insert(group, nested, 'group')),
    ];
    await tell(
      'group.member_added',
      group,
      added.map((row) => row.member_id),
      by,
    );
    return added.length;
  };

  const remove = async (group: string, members: readonly string[], by: By): Promise<number> => {
    const removed = await db.query<{ member_id: string }>(
      'delete from group_member where group_id = $1 and member_id = any($2::uuid[]) returning member_id',
      [group, members.filter(isId)],
    );
    await tell(
      'group.member_removed',
      group,
      removed.map((row) => row.member_id),
      by,
    );
    return removed.length;
  };

  return {
    lockNesting,
    resolve,
    add,
    remove,

    async replace(group: string, members: readonly string[], resolved: Resolved, by: By): Promise<number> {
      // Those who stay are not asked about again: somebody deleted since may well be among them.
      const present = await db.query<{ member_id: string }>('select member_id from group_member where group_id = $1', [
        group,
      ]);
      const before = new Set(present.map((row) => row.member_id));
      const wanted = new Set(members);
      const gone = [...before].filter((id) => !wanted.has(id));
      const fresh = [...wanted].filter((id) => !before.has(id));
      return (await remove(group, gone, by)) + (await add(group, fresh, resolved, by));
    },
  };
}
