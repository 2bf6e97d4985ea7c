import type { Db } from '../../platform/db/index.ts';
import { Refusal } from '../../platform/index.ts';
import { readAccounts } from '../account-row.ts';
import type { User } from '../user.ts';
import { allOf, type Conditions, conditionsOf, type FieldCondition, type UserFilter, wordsOf } from './conditions.ts';
import { type Position, partsOf, type UserList } from './order.ts';
import { createWays, denseMembers, listedMembers } from './ways.ts';
import { lettersOf, type Words } from './words.ts';

export interface FoundUsers {
  users: User[];
  /** Undefined after the last page. */
  next: Position | undefined;
  /** Nobody fits what was asked; these are like it, the most alike first, and all there are. */
  similar: boolean;
}

export interface UserSearch {
  /**
   * A page of people. Paged by key, so that who is added or removed meanwhile moves nobody from one page to another.
   * Those without the attribute that is sorted by come last, in either direction.
   * @throws Refusal `field.not_searchable` (invalid)
   */
  list(asked: UserList): Promise<FoundUsers>;
  /** Their ids alone, in the order of ids: for work on all of them, a part at a time. */
  ids(filter: UserFilter, page: { after?: string | undefined; limit: number }): Promise<string[]>;
  /** How many there are: exactly, which takes as long as reading them, or as the planner guesses. */
  count(filter: UserFilter, how: 'exact' | 'estimate'): Promise<number>;
}

const mostSimilar = 300;
/**
 * @param deps.field the condition for a custom field
 * @param deps.groupsIn a group and all inside it
 */
export function createUserSearch(deps: {
  db: Db;
  words: Pick<Words, 'like'>;
  field?: (name: string) => Promise<FieldCondition | undefined>;
  groupsIn?: (group: string) => Promise<readonly string[]>;
}): UserSearch {
  const { db, words, field = async () => undefined, groupsIn = (group) => groupsInside(db, group) } = deps;
  const { glimpsed, gathered, walked } = createWays({ db });

  const conditions = async (filter: UserFilter): Promise<Conditions> => {
    const known = new Map<string, FieldCondition>();
    for (const name of Object.keys(filter.attributes ?? {})) {
      const condition = await field(name);
      if (!condition) throw new Refusal('field.not_searchable', { kind: 'invalid', details: { field: name } });
      known.set(name, condition);
    }
    const groups = filter.group === undefined ? [] : await groupsIn(filter.group);
    return conditionsOf(filter, groups, (name, value, param) => known.get(name)!(name, value, param));
  };

  const hydrated = (rows: Position[]): Promise<User[]> =>
    readAccounts(
      db,
      rows.map(({ id }) => id),
    );

  /** People with words that are like those asked for, the most alike first. */
  const similar = async ({ filter, limit }: UserList): Promise<Position[]> => {
    const alike = await words.like(lettersOf(filter.text ?? ''));
    if (alike.length === 0 || alike.some((some) => some.length === 0)) return [];
    const { params, ...others } = await conditions({ ...filter, text: undefined });
    const has = (word: string) => `u.search_text like '%' || $${params.push(word)} || '%'`;
    const text = alike.map((some) => `(${some.map(has).join(' or ')})`);
    return db.late<Position>(
      `select id, null as key, 0 as part from (
         select u.id, u.search_text from user_account u where ${[...text, ...allOf(others)].join(' and ')}
         limit ${mostSimilar}) alike
       order by word_similarity(search_key($${params.push(filter.text)}), search_text) desc, id limit ${limit}`,
      params,
    );
  };

  /** How many members the group or organisation has that is asked for; no more than can make a difference are counted. */
  const membersOf = async ({ group, organisation }: UserFilter): Promise<number> => {
    if (group === undefined && organisation === undefined) return 0;
    const [members, value] =
      group === undefined
        ? ['organisation_member where organisation_id = $1::uuid', organisation]
        : ['group_member where group_id = any($1::uuid[])', await groupsIn(group)];
    const [row] = await db.late<{ count: number }>(
      `select count(*)::int as count from (select from ${members} limit ${listedMembers + 1}) members`,
      [value],
    );
    return row!.count;
  };

  return {
    async list(asked) {
      const { filter, limit, after } = asked;
      const where = await conditions(filter);
      const parts = partsOf(asked);
      const members = await membersOf(filter);
      const isCrowd = members > denseMembers && filter.text === undefined;
      // All give the same list: each page is found in whichever manner is quick.
      let rows = await glimpsed(asked, where, parts);
      if (!rows && (isNarrow(filter) || (isSelective(filter) && !isCrowd))) {
        rows = await gathered(asked, where, parts);
      }
      rows ??= await walked(asked, where, parts, members);
      if (rows.length === 0 && !after && wordsOf(filter.text).length > 0) {
        return { users: await hydrated(await similar(asked)), next: undefined, similar: true };
      }
      const shown = rows.slice(0, limit);
      const last = rows.length > limit ? shown.at(-1) : undefined;
      const next = last && { part: last.part, key: last.key, id: last.id };
      return { users: await hydrated(shown), next, similar: false };
    },

    async ids(filter, { after, limit }) {
      const { params, ...where } = await conditions(filter);
      const beyond = after === undefined ? [] : [`u.id > $${params.push(after)}::uuid`];
      const rows = await db.query<{ id: string }>(
        `select u.id from user_account u where ${[...allOf(where), ...beyond].join(' and ')} order by u.id limit ${limit}`,
        params,
      );
      return rows.map(({ id }) => id);
    },

    async count(filter, how) {
      const { params, ...where } = await conditions(filter);
      const from = `from user_account u where ${allOf(where).join(' and ')}`;
      if (how === 'exact') {
        const [row] = await db.late<{ people: string }>(`select count(*) as people ${from}`, params);
        return Number(row!.people);
      }
      const [row] = await db.late<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>(
        `explain (format json) select 1 ${from}`,
        params,
      );
      return row!['QUERY PLAN'][0].Plan['Plan Rows'];
    },
  };
}

/** Whether it may leave so few that finding them first is better than meeting them on a walk through the list. */
const isSelective = (filter: UserFilter): boolean =>
  [filter.text, filter.name, filter.givenName, filter.familyName, filter.group, filter.organisation].some(
    (value) => value !== undefined,
  ) || Object.keys(filter.attributes ?? {}).length > 0;

/**
 * Whether an index leaves some of them, of whom another condition may leave nobody. What two conditions have to do with each
 * other the planner does not know: it would look for the suspended with a proved address, whom there may not be, by a walk
 * through everybody. One condition alone it knows enough of.
 */
function isNarrow({ states, identityStatus, administrator, locale, ...others }: UserFilter): boolean {
  const few = [
    states !== undefined && states.length > 0 && !states.includes('Active'),
    identityStatus !== undefined && identityStatus !== 'none',
    administrator === true,
    locale !== undefined,
  ].filter(Boolean).length;
  const more = Object.values({ ...others, ...(administrator === false && { administrator }) });
  return few > 0 && few + more.filter((value) => value !== undefined).length > 1;
}

/** A group and all inside it; circles end. */
async function groupsInside(db: Db, group: string): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    `with recursive inside as (
       select $1::uuid as id
       union select m.member_id from group_member m join inside i on m.group_id = i.id where m.member_kind = 'group')
     select id from inside`,
    [group],
  );
  return rows.map(({ id }) => id);
}
