import type { Db } from '../../platform/db/index.ts';
import type { Clock, Vault } from '../../platform/index.ts';
import type { ForeignKey } from './foreign/family.ts';

/** The secrets that hashes of other systems take, sealed; a hash names its own by id. */
export interface ForeignKeys {
  /** Stores it once, however often it is brought. @returns its id */
  add(key: ForeignKey): Promise<string>;
  find(id: string): Promise<ForeignKey | undefined>;
  all(): Promise<{ id: string; key: ForeignKey }[]>;
  /** Seals under the newest CARDEA_SECRET what an older one sealed. @returns how many */
  reseal(): Promise<number>;
}

const sealing = (id: string) => `password-key:${id}`;

export function createForeignKeys({ db, clock, vault }: { db: Db; clock: Clock; vault: Vault }): ForeignKeys {
  /** They never change under their id. */
  const known = new Map<string, ForeignKey>();
  const opened = ({ id, sealed }: { id: string; sealed: string }) => JSON.parse(vault.open(sealed, sealing(id)));

  return {
    async add(key) {
      const text = JSON.stringify(key, Object.keys(key).toSorted());
      // Found again under an older secret too, so that a repeated import stays the same.
      const ids = vault.macs(text, 'password-key').map((mac) => mac.slice(0, 22));
      const [row] = await db.query<{ id: string }>('select id from password_key where id = any($1)', [ids]);
      if (row) return row.id;
      const id = ids[0]!;
      await db.query(
        'insert into password_key (id, sealed, created_at) values ($1, $2, $3) on conflict (id) do nothing',
        [id, vault.seal(text, sealing(id)), clock.now()],
      );
      return id;
    },

    async find(id) {
      const had = known.get(id);
      if (had) return had;
      const [row] = await db.query<{ id: string; sealed: string }>(
        'select id, sealed from password_key where id = $1',
        [id],
      );
      if (!row) return undefined;
      known.set(id, opened(row));
      return known.get(id);
    },

    async all() {
      const rows = await db.query<{ id: string; sealed: string }>('select id, sealed from password_key order by id');
      return rows.map((row) => ({ id: row.id, key: opened(row) }));
    },

    async reseal() {
      const rows = await db.query<{ id: string; sealed: string }>('select id, sealed from password_key');
      const old = rows.filter(({ sealed }) => !vault.isCurrent(sealed));
      for (const { id, sealed } of old) {
        await db.query('update password_key set sealed = $3 where id = $1 and sealed = $2', [
          id,
          sealed,
          vault.seal(vault.open(sealed, sealing(id)), sealing(id)),
        ]);
      }
      return old.length;
    },
  };
}
