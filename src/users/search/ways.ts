import type { Db } from '../../platform/db/index.ts';
import { allOf, type Conditions, isTextAlone } from './conditions.ts';
import { beyondPosition, type Part, type Position, sorts, type UserList, type Walk, walkOf } from './order.ts';

/** So many matches are gathered and sorted; where there are more, the list is walked in its order instead. */
const dense = 2_000;
/** Members are found quicker than words are: their indexes know them by id. */
export const denseMembers = 6_000;
/** So many members are all read before a walk begins; of more, each person who is met is looked up among them. */
export const listedMembers = 20_000;
/** So many entries of an index with the text in it are read in less time than hundreds of rows are. */
const glimpse = 10_000;

/**
 * Three ways of finding a page of a list and one row more, if there is one. All find the same; which is quick depends on
 * how many there are who fit.
 */
export function createWays({ db }: { db: Db }) {
  /**
   * Text that many have is met soon in any order: looked for among the first of each part, where the index is enough.
   * Undefined when they do not fill a page and there are more to look at.
   */
  const glimpsed = async (asked: UserList, where: Conditions, parts: Part[]): Promise<Position[] | undefined> => {
    const { sort, limit, after } = asked;
    if (!sorts[sort].hasText || !isTextAlone(asked.filter)) return undefined;
    const rows: Position[] = [];
    // Where words alone are asked for, `plain` has no parameters.
    const entries = ({ order, conditions }: Walk) =>
      `from user_account u where ${[...where.plain, ...conditions].join(' and ')} order by ${order}`;
    for (const part of parts.slice(after?.part ?? 0)) {
      const params = [...where.params];
      const walk = walkOf(asked, part, params);
      const found = await db.late<Position>(
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
  const gathered = async (asked: UserList, where: Conditions, parts: Part[]): Promise<Position[] | undefined> => {
    const { filter, sort, descending, limit, after } = asked;
    const { expression, type } = sorts[sort];
    const params = [...where.params];
    const way = descending ? 'desc' : 'asc';
    const most = filter.group === undefined && filter.organisation === undefined ? dense : denseMembers;
    const part = parts.length === 1 ? '0' : `case when ${parts[0]!.where(params).join(' and ')} then 0 else 1 end`;
    const beyond = after ? `where ${beyondPosition(type, params, asked, after)}` : '';
    const rows = await db.late<Position & { many: boolean }>(
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
  const walked = async (asked: UserList, where: Conditions, parts: Part[], members: number): Promise<Position[]> => {
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
    const rows: Position[] = [];
    for (const part of parts.slice(after?.part ?? 0)) {
      const params = [...where.params];
      const { key, order, conditions } = walkOf(asked, part, params);
      rows.push(
        ...(await db.late<Position>(
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

  return { glimpsed, gathered, walked };
}
