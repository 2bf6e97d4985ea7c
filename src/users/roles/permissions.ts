import type { Events } from '../../events/index.ts';
import type { Db } from '../../platform/db/index.ts';
import { Refusal } from '../../platform/index.ts';
import type { By } from '../users.ts';

/** A named action that an application or API asks about, such as `orders:refund`. */
export interface Permission {
  name: string;
  description: string | undefined;
}

export interface Permissions {
  list(): Promise<Permission[]>;
  /** Adds it or says it anew. @returns whether that changed anything @throws Refusal `permission.malformed` (invalid) */
  put(permission: { name: string; description?: string | undefined }, by: By): Promise<boolean>;
  /** Takes it out of every role, too. @throws Refusal `permission.unknown` (missing) */
  remove(name: string, by: By): Promise<void>;
}

/** Visible ASCII without what separates names elsewhere: it may stand in a scope and in a header. */
export const permissionName = /^[A-Za-z0-9][\w.:/*-]{0,99}$/;

export function createPermissions({ db, events }: { db: Db; events: Pick<Events, 'record'> }): Permissions {
  return {
    list: async () =>
      (await db.query<{ name: string; description: string | null }>('select * from permission order by name')).map(
        ({ name, description }) => ({ name, description: description ?? undefined }),
      ),

    put: ({ name, description }, by) =>
      db.transact(async () => {
        if (!permissionName.test(name)) throw new Refusal('permission.malformed', { kind: 'invalid' });
        const changed = await db.query(
          `insert into permission as p (name, description) values ($1, $2)
           on conflict (name) do update set description = excluded.description
           where p.description is distinct from excluded.description returning 1`,
          [name, description?.slice(0, 500) ?? null],
        );
        if (changed.length === 0) return false;
        await events.record({ type: 'permission.changed', ...by, data: { permission: name } });
        return true;
      }),

    remove: (name, by) =>
      db.transact(async () => {
        const removed = await db.query('delete from permission where name = $1 returning 1', [name]);
        if (removed.length === 0) throw new Refusal('permission.unknown', { kind: 'missing' });
        await db.query('update role set permissions = array_remove(permissions, $1) where $1 = any(permissions)', [
          name,
        ]);
        await events.record({ type: 'permission.removed', ...by, data: { permission: name } });
      }),
  };
}
