import type { Db } from '../../platform/db/index.ts';
import { isId } from '../../platform/index.ts';

export interface Member {
  id: string;
  kind: 'user' | 'group';
  /** The name of the person or group, for people to read. */
  display: string | undefined;
}

/** A group that somebody is in. */
export interface Belonging {
  id: string;
  displayName: string;
  provisioningDomain: string | null;
  /** In it themselves, not only by another group. */
  direct: boolean;
}

export interface MemberPage {
  /** Id of the last member of the page before. */
  after?: string | undefined;
  limit?: number;
}

/** Every group above what is asked for, however far; `union` meets each once and so ends even if there were a circle. */
export const above = `with recursive above (id) as (
  select group_id from group_member where member_id = $1
  union select m.group_id from group_member m join above on m.member_id = above.id)`;

/** Who is in which group: read, and never changed here. */
export function createBelonging({ db }: { db: Db }) {
  return {
    /** Those directly in it; deleted people are left out. */
    async members(group: string, { after, limit = 1_000 }: MemberPage = {}): Promise<Member[]> {
      if (!isId(group)) return [];
      const rows = await db.query<{ id: string; kind: Member['kind']; display: string | null }>(
        `select m.member_id as id, m.member_kind as kind,
                coalesce(g.display_name, u.name, nullif(concat_ws(' ', u.given_name, u.family_name), ''), u.user_name,
                  u.email) as display
           from group_member m
           left join user_account u on m.member_kind = 'user' and u.id = m.member_id
           left join user_group g on m.member_kind = 'group' and g.id = m.member_id
          where m.group_id = $1 and ($2::uuid is null or m.member_id > $2) and u.state is distinct from 'Deleted'
          order by m.member_id limit $3`,
        [group, after ?? null, limit],
      );
      return rows.map(({ display, ...row }) => ({ ...row, display: display ?? undefined }));
    },

    async of(accountId: string): Promise<{ id: string; displayName: string }[]> {
      if (!isId(accountId)) return [];
      return db.query(
        `${above} select id, display_name as "displayName" from user_group join above using (id)
          order by display_name, id`,
        [accountId],
      );
    },

    async pageOf(accountId: string, { after, limit = 1_000 }: MemberPage = {}) {
      if (!isId(accountId)) return [];
      return db.query<{ id: string; displayName: string }>(
        `${above} select id, display_name as "displayName" from user_group join above using (id)
          where organisation_id is null and ($2::uuid is null or id > $2) order by id limit $3`,
        [accountId, after ?? null, limit],
      );
    },

    async ofAll(accountIds: readonly string[]): Promise<Map<string, Belonging[]>> {
      // A statement about one, which is most of them, is not planned anew each time.
      const [one] = accountIds.length === 1 ? accountIds : [];
      const rows = await db.query<Belonging & { account: string }>(
        `with recursive above (account, id, direct) as (
           select member_id, group_id, true from group_member where member_id = ${one ? '$1::uuid' : 'any($1::uuid[])'}
           union select above.account, m.group_id, false from group_member m join above on m.member_id = above.id)
         select account, g.id, g.display_name as "displayName", g.provisioning_domain as "provisioningDomain",
                bool_or(direct) as direct
           from above join user_group g on g.id = above.id
          group by account, g.id order by g.display_name, g.id`,
        [one ?? accountIds],
        one ? 'groups-of-one' : 'groups-of-all',
      );
      const found = new Map<string, Belonging[]>();
      for (const { account, ...group } of rows) {
        const list = found.get(account) ?? [];
        list.push(group);
        found.set(account, list);
      }
      return found;
    },

    async directlyOf(memberId: string): Promise<{ id: string; displayName: string }[]> {
      if (!isId(memberId)) return [];
      return db.query(
        `select g.id, g.display_name as "displayName" from group_member m join user_group g on g.id = m.group_id
          where m.member_id = $1 order by g.display_name, g.id`,
        [memberId],
      );
    },

    async has(groupId: string, accountId: string): Promise<boolean> {
      if (!isId(groupId) || !isId(accountId)) return false;
      return (await db.query(`${above} select 1 from above where id = $2`, [accountId, groupId])).length > 0;
    },
  };
}
