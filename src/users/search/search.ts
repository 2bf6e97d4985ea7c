import type { Db } from '../../platform/db/index.ts';
import { Refusal } from '../../platform/index.ts';
import { readAccounts } from '../account-row.ts';
import type { User } from '../user.ts';
import { type Conditions, conditionsOf, type FieldCondition, type UserFilter, wordsOf } from './conditions.ts';
import { lettersOf, type Words } from './words.ts';

export const userSorts = ['created_at', 'name', 'email', 'user_name', 'last_sign_in_at'] as const;
export type UserSort = (typeof userSorts)[number];

/** Where a page ended: in which part of the list, and the last row's place in it. */
export interface Position {
  part: number;
  key: string | null;
  id: string;
}

export interface UserList {
  filter: UserFilter;
  sort: UserSort;
  descending: boolean;
  limit: number;
  /** Of the page before, with the same filter and sort. */
  after?: Position | undefined;
}

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

/** So many matches are gathered and sorted; where there are more, the list is walked in its order instead. */
const dense = 2_000;
/** Members are found quicker than words are: their indexes know them by id. */
const denseMembers = 6_000;
const mostSimilar = 300;

interface Sort {
  expression: string;
  type: string;
  /** Whether some have none. */
  nullable: boolean;
}

const sorts: Record<UserSort, Sort> = {
  created_at: { expression: 'u.created_at', type: 'timestamptz', nullable: false },
  name: { expression: 'u.sort_name', type: 'text collate "C"', nullable: false },
  email: { expression: 'u.email_key', type: 'text', nullable: true },
  user_name: { expression: 'coalesce(u.user_name_key, u.email_key)', type: 'text', nullable: true },
  last_sign_in_at: { expression: 'u.last_sign_in_at', type: 'timestamptz', nullable: true },
};

interface Row {
  id: string;
  key: string | null;
}

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

  const hydrated = (rows: Row[]): Promise<User[]> =>
    readAccounts(
      db,
      rows.map(({ id }) => id),
    );

  /** All who fit the text, when they are few: found by its index, then sorted. Undefined when they are not. */
  const gathered = async (asked: UserList, where: Conditions): Promise<Row[] | undefined> => {
    const { filter, sort, descending, limit, after } = asked;
    const { expression, type } = sorts[sort];
    const params = [...where.params];
    const way = descending ? 'desc' : 'asc';
    const usual = filter.group === undefined && filter.organisation === undefined ? dense : denseMembers;
    const most = after ? 10 * denseMembers : usual;
    const beyond = after ? `and ${beyondPosition('key', type, params, asked, after)}` : '';
    const rows = await db.late<Row & { many: boolean }>(
      `with fitting as materialized (
         select u.id, ${expression} as key from user_account u
         where ${[...where.text, ...where.plain].join(' and ')} limit ${most + 1})
       select id, key::text as key, (select count(*) > ${most} from fitting) as many from fitting
       where true ${beyond} order by key ${way} nulls last, id ${way} limit ${limit + 1}`,
      params,
    );
    return rows[0]?.many ? undefined : rows;
  };

  /** One part of the list, walked in its order. */
  const walked = (asked: UserList, where: Conditions, part: Part, limit: number): Promise<Row[]> => {
    const { sort, descending, after } = asked;
    const { expression, type } = sorts[sort];
    const params = [...where.params];
    const way = descending ? 'desc' : 'asc';
    // The planner neither sees the text's index nor how few it thinks will fit: it would gather and sort them all.
    const text = where.text.map((condition) => `case when ${condition} then true end`);
    const all = [...where.plain, ...text, ...part.where(params)];
    const beyond = after && after.part === part.number;
    if (part.unsorted) {
      if (beyond) all.push(`u.id ${descending ? '<' : '>'} $${params.push(after.id)}::uuid`);
      return db.late<Row>(
        `select u.id, '' as key from user_account u where ${all.join(' and ')} order by u.id ${way} limit ${limit}`,
        params,
      );
    }
    if (beyond) {
      const [key, id] = [`$${params.push(after.key)}::${type}`, `$${params.push(after.id)}::uuid`];
      all.push(`(${expression}, u.id) ${descending ? '<' : '>'} (${key}, ${id})`);
    }
    return db.late<Row>(
      `select u.id, ${expression}::text as key from user_account u where ${all.join(' and ')}
       order by ${expression} ${way}, u.id ${way} limit ${limit}`,
      params,
    );
  };

  /** People with words that are like those asked for, the most alike first. */
  const similar = async ({ filter, limit }: UserList): Promise<Row[]> => {
    const alike = await words.like(lettersOf(filter.text ?? ''));
    if (alike.length === 0 || alike.some((some) => some.length === 0)) return [];
    const { plain, params } = await conditions({ ...filter, text: undefined });
    const has = (word: string) => `u.search_text like '%' || $${params.push(word)} || '%'`;
    const text = alike.map((some) => `(${some.map(has).join(' or ')})`);
    return db.late<Row>(
      `select id, '' as key from (
         select u.id, u.search_text from user_account u where ${[...text, ...plain].join(' and ')}
         limit ${mostSimilar}) alike
       order by word_similarity(search_key($${params.push(filter.text)}), search_text) desc, id limit ${limit}`,
      params,
    );
  };

  /** Whether a group or organisation alone has more members than would be gathered; then gathering is not tried. */
  const isCrowd = async (filter: UserFilter): Promise<boolean> => {
    const { group, organisation } = filter;
    if (group === undefined && organisation === undefined) return false;
    const [members, value] =
      group === undefined
        ? ['organisation_member where organisation_id = $1::uuid', organisation]
        : [`group_member where group_id = any($1::uuid[]) and member_kind = 'user'`, await groupsIn(group)];
    const [row] = await db.late<{ many: boolean }>(
      `select count(*) > ${denseMembers} as many from (select from ${members} limit ${denseMembers + 1}) members`,
      [value],
    );
    return row!.many && filter.text === undefined;
  };

  return {
    async list(asked) {
      const { filter, limit, after } = asked;
      const where = await conditions(filter);
      // What began as a gathered list goes on as one: its order is not the walk's.
      const gather = after
        ? after.part === gatheredPart
        : isNarrow(filter) || (isSelective(filter) && !(await isCrowd(filter)));
      if (gather) {
        const rows = await gathered(asked, where);
        if (rows) {
          if (rows.length === 0 && !after && wordsOf(filter.text).length > 0) {
            return { users: await hydrated(await similar(asked)), next: undefined, similar: true };
          }
          return page(rows, limit, () => gatheredPart);
        }
      }
      const rows: (Row & { part: number })[] = [];
      for (const part of partsOf(asked)) {
        if (after && after.part > part.number) continue;
        const found = await walked(asked, where, part, limit + 1 - rows.length);
        rows.push(...found.map((row) => ({ ...row, part: part.number })));
        if (rows.length > limit) break;
      }
      return page(rows, limit, (row) => (row as Row & { part: number }).part);
    },

    async ids(filter, { after, limit }) {
      const { plain, text, params } = await conditions(filter);
      const beyond = after === undefined ? [] : [`u.id > $${params.push(after)}::uuid`];
      const rows = await db.query<{ id: string }>(
        `select u.id from user_account u where ${[...plain, ...text, ...beyond].join(' and ')} order by u.id limit ${limit}`,
        params,
      );
      return rows.map(({ id }) => id);
    },

    async count(filter, how) {
      const { plain, text, params } = await conditions(filter);
      const from = `from user_account u where ${[...plain, ...text].join(' and ')}`;
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

  async function page(rows: Row[], limit: number, partOf: (row: Row) => number): Promise<FoundUsers> {
    const shown = rows.slice(0, limit);
    const last = rows.length > limit ? shown.at(-1) : undefined;
    const next = last && { part: partOf(last), key: last.key, id: last.id };
    return { users: await hydrated(shown), next, similar: false };
  }
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

/** Of what was gathered and sorted; the parts that are walked are numbered from 0. */
const gatheredPart = -1;

interface Part {
  number: number;
  /** Those without what is sorted by: in the order of their ids. */
  unsorted?: boolean;
  where(params: unknown[]): string[];
}

/**
 * A list that is walked may have parts, one after the other: who begins with the text that was asked for comes before who
 * has it elsewhere (a list by name in which all fitting names stand at its end would else be walked whole), and last who
 * has nothing to be sorted by.
 */
function partsOf({ filter, sort }: UserList): Part[] {
  const { expression, nullable } = sorts[sort];
  const text = wordsOf(filter.text).join(' ');
  const has = nullable ? [`${expression} is not null`] : [];
  const parts: Omit<Part, 'number'>[] = [];
  if (text && sort === 'name') {
    const beginning = (params: unknown[]) => `search_key($${params.push(text)})`;
    const range = (params: unknown[]) => {
      const from = beginning(params);
      return `u.sort_name >= ${from} and u.sort_name < ${from} || chr(1114111)`;
    };
    parts.push({ where: (params) => [range(params)] }, { where: (params) => [`not (${range(params)})`] });
  } else {
    parts.push({ where: () => has });
  }
  if (nullable) parts.push({ unsorted: true, where: () => [`${expression} is null`] });
  return parts.map((part, number) => ({ ...part, number }));
}

/** Beyond the last row of the page before, where those without a key come last. */
function beyondPosition(key: string, type: string, params: unknown[], { descending }: UserList, after: Position) {
  const operator = descending ? '<' : '>';
  const id = `$${params.push(after.id)}::uuid`;
  if (after.key === null) return `(${key} is null and id ${operator} ${id})`;
  return `((${key}, id) ${operator} ($${params.push(after.key)}::${type}, ${id}) or ${key} is null)`;
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
