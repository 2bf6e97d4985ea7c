import { ScimFault } from '../faults.ts';
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

  return async (query: Query, reach: Reach): Promise<Page<JsonObject>> => {
    if (query.cursor !== undefined) throw new ScimFault(400, 'invalidCursor', 'pages of the whole go by startIndex');
    const faults: ScimFault[] = [];
    const userSource = await users.source(reach);
    const people = await orNothing(() => pages.total(userSource, query), faults);
    const sets = await orNothing(() => pages.total(groups.source(reach), query), faults);
    if (faults.length === 2) throw faults[0]!;
    const total = (people ?? 0) + (sets ?? 0);
    const rows: JsonObject[] = [];
    if (people && query.startIndex <= people) rows.push(...(await users.list(query, reach)).rows);
    const room = query.count - rows.length;
    if (sets && room > 0) {
      const startIndex = Math.max(1, query.startIndex - (people ?? 0));
      rows.push(...(await groups.list({ ...query, startIndex, count: room }, reach)).rows);
    }
    return { rows, total, startIndex: query.startIndex };
  };
}
