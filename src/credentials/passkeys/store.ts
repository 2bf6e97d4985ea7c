import type { Db } from '../../platform/db/index.ts';
import { providerOf } from './providers.ts';
import type { PasskeyRow } from './whole.ts';

/** A passkey as its owner sees it. */
export interface Passkey {
  readonly id: string;
  readonly userId: string;
  /** base64url, as browsers name it. */
  readonly credentialId: string;
  /** What its owner calls it. */
  readonly name: string | undefined;
  /** Who keeps it, if its kind is known; not translated. */
  readonly provider: string | undefined;
  readonly transports: readonly string[];
  /** Can be on several devices (backup eligible) … */
  readonly syncable: boolean;
  /** … and is (backup state), as far as its last use said. */
  readonly synced: boolean;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | undefined;
  /** When its counter went backwards last, which it does when somebody uses a copy. */
  readonly copySuspectedAt: Date | undefined;
}

/** With what verifying needs. */
export interface StoredPasskey extends Passkey {
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly signCount: number;
}

interface Row extends PasskeyRow {
  copy_suspected_at: string | null;
}

const dateOf = (text: string | null): Date | undefined => (text === null ? undefined : new Date(text));

const storedOf = (row: Row): StoredPasskey => ({
  id: row.id,
  userId: row.user_id,
  credentialId: row.credential_id,
  name: row.name ?? undefined,
  provider: providerOf(row.aaguid),
  transports: row.transports,
  syncable: row.backup_eligible,
  synced: row.backed_up,
  createdAt: new Date(row.created_at),
  lastUsedAt: dateOf(row.last_used_at),
  copySuspectedAt: dateOf(row.copy_suspected_at),
  publicKey: new Uint8Array(row.public_key),
  signCount: Number(row.sign_count),
});

/** The table `passkey`, in plain statements. */
export function createPasskeyStore({ db }: { db: Db }) {
  const select = async (where: string, params: unknown[], lock = ''): Promise<StoredPasskey[]> =>
    (await db.query<Row>(`select * from passkey where ${where} order by created_at, id ${lock}`, params)).map(storedOf);

  return {
    listOf: (userId: string) => select('user_id = $1', [userId]),
    /** Locks all of a person's, so that of two removals at once one sees the other. */
    lockOf: (userId: string) => select('user_id = $1', [userId], 'for update'),
    byCredential: async (credentialId: string) => (await select('credential_id = $1', [credentialId]))[0],
    lock: async (id: string) => (await select('id = $1', [id], 'for update'))[0],

    insert: (row: {
      id: string;
      userId: string;
      credentialId: string;
      publicKey: Uint8Array;
      signCount: number;
      transports: string[];
      aaguid: string;
      syncable: boolean;
      synced: boolean;
      at: Date;
    }) =>
      db.query(
        `insert into passkey (id, user_id, credential_id, public_key, sign_count, transports, aaguid,
           backup_eligible, backed_up, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
        [
          row.id,
          row.userId,
          row.credentialId,
          Buffer.from(row.publicKey),
          row.signCount,
          row.transports,
          row.aaguid,
          row.syncable,
          row.synced,
          row.at,
        ],
      ),

    /** @param used.suspectedAt given when the counter went backwards; it stays where it was then */
    used: (id: string, used: { at: Date; signCount: number; synced: boolean; suspectedAt: Date | undefined }) =>
      db.query(
        `update passkey set last_used_at = $2, sign_count = greatest(sign_count, $3), backed_up = $4,
           copy_suspected_at = coalesce($5, copy_suspected_at) where id = $1`,
        [id, used.at, used.signCount, used.synced, used.suspectedAt ?? null],
      ),
    rename: async (id: string, userId: string, name: string): Promise<boolean> =>
      (await db.query('update passkey set name = $3 where id = $1 and user_id = $2 returning id', [id, userId, name]))
        .length > 0,
    remove: (id: string) => db.query('delete from passkey where id = $1', [id]),
  };
}

export type PasskeyStore = ReturnType<typeof createPasskeyStore>;
