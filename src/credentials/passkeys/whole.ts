import { newId } from '../../platform/index.ts';

/** A passkey as it is brought in and taken out. Times are ISO 8601. */
export interface WholePasskey {
  id?: string | undefined;
  /** base64url, as `publicKey` is. */
  credentialId: string;
  publicKey: string;
  signCount: number;
  transports: string[];
  aaguid: string;
  backupEligible: boolean;
  backedUp: boolean;
  name?: string | undefined;
  createdAt?: string | undefined;
  lastUsedAt?: string | undefined;
}

export const iso = (text: string | null): string | undefined =>
  text === null ? undefined : new Date(text).toISOString();

/** Columns of the table and their types. */
export const passkeyColumns = {
  id: 'uuid',
  user_id: 'uuid',
  credential_id: 'text',
  public_key: 'bytea',
  sign_count: 'bigint',
  transports: 'text[]',
  aaguid: 'uuid',
  backup_eligible: 'boolean',
  backed_up: 'boolean',
  name: 'text',
  created_at: 'timestamptz',
  last_used_at: 'timestamptz',
};

export const passkeyRow = (user_id: string, one: WholePasskey, now: string) => ({
  id: one.id ?? newId(),
  user_id,
  credential_id: one.credentialId,
  public_key: `\\x${Buffer.from(one.publicKey, 'base64url').toString('hex')}`,
  sign_count: one.signCount,
  transports: one.transports,
  aaguid: one.aaguid,
  backup_eligible: one.backupEligible,
  backed_up: one.backedUp,
  name: one.name,
  created_at: one.createdAt ?? now,
  last_used_at: one.lastUsedAt,
});

/** The row of the table, as it is read. */
export interface PasskeyRow {
  id: string;
  user_id: string;
  credential_id: string;
  public_key: Uint8Array;
  sign_count: string;
  transports: string[];
  aaguid: string;
  backup_eligible: boolean;
  backed_up: boolean;
  name: string | null;
  created_at: string;
  last_used_at: string | null;
}

export const passkeyOf = (row: PasskeyRow): WholePasskey => ({
  id: row.id,
  credentialId: row.credential_id,
  publicKey: Buffer.from(row.public_key).toString('base64url'),
  signCount: Number(row.sign_count),
  transports: row.transports,
  aaguid: row.aaguid,
  backupEligible: row.backup_eligible,
  backedUp: row.backed_up,
  name: row.name ?? undefined,
  createdAt: iso(row.created_at),
  lastUsedAt: iso(row.last_used_at),
});
