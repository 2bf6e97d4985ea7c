import type { Db } from '../../platform/db/index.ts';
import { Refusal } from '../../platform/index.ts';
import { readAccounts } from '../account-row.ts';
import type { User } from '../user.ts';
import { type Conditions, conditionsOf, type FieldCondition, type UserFilter, wordsOf } from './conditions.ts';
import { lettersOf, type Words } from './words.ts';

export const userSorts = ['created_at', 'name', 'email', 'user_name', 'last_sign_in_at'] as const;
export type UserSort = (typeof userSorts)[number];

/** Where a page ended: in which part of the list, and the last row's place in it. Without a key, by its id alone. */
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
/** So many members are all read before a walk begins; of more, each person who is met is looked up among them. */
const listedMembers = 20_000;
/** So many entries of an index with the text in it are read in less time than hundreds of rows are. */
const glimpse = 10_000;

interface Sort {
  expression: string;
  type: string;
  /** Whether some have none. */
  nullable: boolean;
  /** Whether the order's index has the text in it, so that it is searched without a look at the rows. */
  hasText?: boolean;
}

const sorts: Record<UserSort, Sort> = {
  created_at: { expression: 'u.created_at', type: 'timestamptz', nullable: false, hasText: true },
  name: { expression: 'u.sort_name', type: 'text collate "C"', nullable: false, hasText: true },
  email: { expression: 'u.email_key', type: 'text', nullable: true },
  user_name: { expression: 'coalesce(u.user_name_key, u.email_key)', type: 'text', nullable: true },
  last_sign_in_at: { expression: 'u.last_sign_in_at', type: 'timestamptz', nullable: true },
};

interface Row extends Position {}

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

  /**
   * Text that many have is met soon in any order: looked for among the first of each part, where the index is enough.
   * Undefined when they do not fill a page and there are more to look at.
   */
  const glimpsed = async (asked: UserList, where: Conditions, parts: Part[]): Promise<Row[] | undefined> => {
    const { sort, limit, after } = asked;
    if (!sorts[sort].hasText || !isTextAlone(asked.filter)) return undefined;
    const rows: Row[] = [];
    // Where words alone are asked for, `plain` has no parameters.
    const entries = ({ order, conditions }: Walk) =>
      `from user_account u where ${[...where.plain, ...conditions].join(' and ')} order by ${order}`;
    for (const part of parts.slice(after?.part ?? 0)) {
      const params = [...where.params];
      const walk = walkOf(asked, part, params);
      const found = await db.late<Row>(
        `select u.id, u.key::text as key, ${part.number} as part
         from (select u.id, ${walk.key} as key, u.search_text ${entries(walk)} limit ${glimpse}) u
         where ${where.text.join(' and ')} limit ${limit + 1 - rows.length}`,
        params,
      );
      rows.push(...found);
      if (rows.length > limit) return rows;
      const rest: unknown[] = [];
      const further = `select 1 ${entries(walkOf(asked, part, rest))} limit 1 offset ${glimpse}`;
      if ((await db.late(further, rest)).length > 0) return undefined;
    }
    return rows;
  };

  /** All who fit, when they are few: found by an index, then sorted. Undefined when they are not. */
  const gathered = async (asked: UserList, where: Conditions, parts: Part[]): Promise<Row[] | undefined> => {
    const { filter, sort, descending, limit, after } = asked;
    const { expression, type } = sorts[sort];
    const params = [...where.params];
    const way = descending ? 'desc' : 'asc';
    const most = filter.group === undefined && filter.organisation === undefined ? dense : denseMembers;
    const part = parts.length === 1 ? '0' : `case when ${parts[0]!.where(params).join(' and ')} then 0 else 1 end`;
    const beyond = after ? `where ${beyondPosition(type, params, asked, after)}` : '';
    const rows = await db.late<Row & { many: boolean }>(
      `with fitting as materialized (
         select u.id, ${expression} as key, ${part} as part from user_account u
         where ${allOf(where).join(' and ')} limit ${most + 1})
       select id, key::text as key, part, many from (select count(*) > ${most} as many from fitting) counted
         left join (select * from fitting ${beyond} order by part, key ${way}, id ${way} limit ${limit + 1}) page on true
         order by part, page.key ${way}, id ${way}`,
      params,
    );
    if (rows[0]!.many) return undefined;
    return rows[0]!.id === null ? [] : rows;
  };

  /** The list walked in its order. @param members how many there are of the group or organisation asked for */
  const walked = async (asked: UserList, where: Conditions, parts: Part[], members: number): Promise<Row[]> => {
    const { limit, after } = asked;
    // Spelled so that the planner sees neither an index nor how few it thinks will fit: it would gather and sort them all.
    const opaque = (condition: string) => `case when ${condition} then true end`;
    const tested = [
      ...where.text.map(opaque),
      ...where.members.map((membership) =>
        // With an offset, the planner has no choice but to look each up.
        members > listedMembers ? `exists (select ${membership} offset 0)` : opaque(`exists (select ${membership})`),
      ),
    ];
    const rows: Row[] = [];
    for (const part of parts.slice(after?.part ?? 0)) {
      const params = [...where.params];
      const { key, order, conditions } = walkOf(asked, part, params);
      rows.push(
        ...(await db.late<Row>(
          `select u.id, ${key}::text as key, ${part.number} as part from user_account u
           where ${[...where.plain, ...tested, ...conditions].join(' and ')}
           order by ${order} limit ${limit + 1 - rows.length}`,
          params,
        )),
      );
      if (rows.length > limit) break;
    }
    return rows;
  };

  /** People with words that are like those asked for, the most alike first. */
  const similar = async ({ filter, limit }: UserList): Promise<Row[]> => {
    const alike = await words.like(lettersOf(filter.text ?? ''));
    if (alike.length === 0 || alike.some((some) => some.length === 0)) return [];
    const { params, ...others } = await conditions({ ...filter, text: undefined });
    const has = (word: string) => `u.search_text like '%' || $${params.push(word)} || '%'`;
    const text = alike.map((some) => `(${some.map(has).join(' or ')})`);
    return db.late<Row>(
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

/** Each condition as it is: the planner chooses the index. */
const allOf = ({ text, plain, members }: Omit<Conditions, 'params'>): string[] => [
  ...text,
  ...plain,
  ...members.map((membership) => `exists (select ${membership})`),
];

/** Whether nothing but words is asked for. */
const isTextAlone = ({ text, ...others }: UserFilter): boolean =>
  wordsOf(text).length > 0 && Object.values(others).every((value) => value === undefined);

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

interface Part {
  number: number;
  /** Those without what is sorted by: in the order of their ids. */
  unsorted?: boolean;
  where(params: unknown[]): string[];
}

/**
 * A list may have parts, one after the other: who begins with the text that was asked for comes before who
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

interface Walk {
  key: string;
  order: string;
  conditions: string[];
}

/** What a walk through one part reads, in which order, and where it begins. */
function walkOf({ sort, descending, after }: UserList, part: Part, params: unknown[]): Walk {
  const { expression, type } = sorts[sort];
  const way = descending ? 'desc' : 'asc';
  const conditions = [...part.where(params)];
  const id = (position: Position) => `$${params.push(position.id)}::uuid`;
  const operator = descending ? '<' : '>';
  const begun = after?.part === part.number ? after : undefined;
  if (part.unsorted) {
    if (begun) conditions.push(`u.id ${operator} ${id(begun)}`);
    return { key: 'null', order: `u.id ${way}`, conditions };
  }
  if (begun) conditions.push(`(${expression}, u.id) ${operator} ($${params.push(begun.key)}::${type}, ${id(begun)})`);
  return { key: expression, order: `${expression} ${way}, u.id ${way}`, conditions };
}

/** The same of what was gathered: beyond the last row of the page before. */
function beyondPosition(type: string, params: unknown[], { descending }: UserList, { part, key, id }: Position) {
  const operator = descending ? '<' : '>';
  const last = `$${params.push(id)}::uuid`;
  const within =
    key === null ? `id ${operator} ${last}` : `(key, id) ${operator} ($${params.push(key)}::${type}, ${last})`;
  return `(part > ${Number(part)} or (part = ${Number(part)} and ${within}))`;
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
