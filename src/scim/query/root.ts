import { bad, ScimFault } from '../faults.ts';
import type { ScimGroups } from '../groups/groups.ts';
import type { Reach } from '../ports.ts';
import type { JsonObject } from '../schema/attribute.ts';
import type { ScimUsers } from '../users/users.ts';
import type { Page, Pages } from './page.ts';
import type { Query } from './request.ts';

/**
 * A search among all kinds of resources (RFC 7644, section 3.4.3): people first, then groups, each sorted among
 * themselves. A kind that does not know an attribute of the filter has nothing that meets it.
 */
export function createRootSearch({ users, groups, pages }: { users: ScimUsers; groups: ScimGroups; pages: Pages }) {
  const orNothing = async <T>(work: () => Promise<T>, faults: ScimFault[]): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ScimFault) || (error.scimType !== 'invalidFilter' && error.scimType !== 'invalidPath'))
        throw error;
      faults.push(error);
      return undefined;
    }
  };

  /** A cursor of the whole is one of a kind, with the kind's letter before it. */
  const byCursor = async (query: Query, cursor: string, counts: { people: number; sets: number }, reach: Reach) => {
    const [kind, rest] = cursor === '' ? ['u', ''] : [cursor[0], cursor.slice(1)];
    if (kind !== 'u' && kind !== 'g') throw bad('invalidCursor', 'the cursor is not one of ours');
    const total = counts.people + counts.sets;
    const rows: JsonObject[] = [];
    if (kind === 'u' && counts.people > 0) {
      const page = await users.list({ ...query, cursor: rest }, reach);
      if (page.next !== undefined) return { rows: page.rows, total, next: `u${page.next}` };
      rows.push(...page.rows);
    }
    const room = query.count - rows.length;
    if (counts.sets === 0) return { rows, total };
    if (room === 0) return { rows, total, next: 'g' };
    const page = await groups.list({ ...query, count: room, cursor: kind === 'g' ? rest : '' }, reach);
    rows.push(...page.rows);
    return { rows, total, ...(page.next !== undefined && { next: `g${page.next}` }) };
  };

  return async (query: Query, reach: Reach): Promise<Page<JsonObject>> => {
    const faults: ScimFault[] = [];
    const userSource = await users.source(reach);
    const people = (await orNothing(() => pages.total(userSource, query), faults)) ?? 0;
    const sets = (await orNothing(() => pages.total(groups.source(reach), query), faults)) ?? 0;
    if (faults.length === 2) throw faults[0]!;
    if (query.cursor !== undefined) {
      if (query.count === 0) throw bad('invalidCount', 'a page by cursor has at least one resource');
      return byCursor(query, query.cursor, { people, sets }, reach);
    }
    const rows: JsonObject[] = [];
    if (query.startIndex <= people) rows.push(...(await users.list(query, reach)).rows);
    const room = query.count - rows.length;
    if (sets > 0 && room > 0) {
      const startIndex = Math.max(1, query.startIndex - people);
      rows.push(...(await groups.list({ ...query, startIndex, count: room }, reach)).rows);
    }
    return { rows, total: people + sets, startIndex: query.startIndex };
  };
}
