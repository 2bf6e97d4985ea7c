import { Secret } from 'otpauth';
import type { Db } from '../platform/db/index.ts';
import { type Clock, newId, type Vault } from '../platform/index.ts';
import { recoveryCodeMac } from './recovery-codes.ts';
import { totpSealing } from './totp.ts';

/** Everything a person proves themselves with, as it is brought in and taken out. Times are ISO 8601. */
export interface WholeCredentials {
  password?: { hash: string; changedAt?: string | undefined } | undefined;
  /** Base32, in the clear. */
  totp?: { secret: string; createdAt?: string | undefined } | undefined;
  /** In the clear: only ever brought in. */
  recoveryCodes?: string[] | undefined;
  /** As they are kept; mean something only under the CARDEA_SECRET they were made with. */
  recoveryCodeMacs?: { mac: string; issuedAt: string; usedAt?: string | undefined }[] | undefined;
  passkeys?: WholePasskey[] | undefined;
}

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

/** Credentials by the hundred, in single statements. */
export interface CredentialIntake {
  /** In the open transaction. Nothing replaces what a person has: kinds they have already are left as they are. */
  store(all: ReadonlyMap<string, WholeCredentials>): Promise<void>;
  of(userIds: readonly string[]): Promise<Map<string, WholeCredentials>>;
  /** Whether the text is a TOTP secret: base32 of at least 80 bits. */
  isTotpSecret(text: string): boolean;
}

const iso = (text: string | null): string | undefined => (text === null ? undefined : new Date(text).toISOString());
const spelledSecret = (text: string) => text.replace(/[\s-]/g, '').replace(/=+$/, '').toUpperCase();

export function createCredentialIntake({ db, clock, vault }: { db: Db; clock: Clock; vault: Vault }): CredentialIntake {
  const insert = async (rows: object[], table: string, columns: Record<string, string>) => {
    if (rows.length === 0) return;
    const names = Object.keys(columns).join(', ');
    const typed = Object.entries(columns).map(([name, type]) => `${name} ${type}`);
    await db.query(
      `insert into ${table} (${names}) select ${names} from jsonb_to_recordset($1::jsonb) as r (${typed})
       on conflict do nothing`,
      [JSON.stringify(rows)],
    );
  };

  return {
    async store(all) {
      const now = clock.now().toISOString();
      const each = [...all];
      await insert(
        each.flatMap(([user_id, { password }]) =>
          password ? [{ user_id, hash: password.hash, changed_at: password.changedAt ?? now }] : [],
        ),
        'password',
        { user_id: 'uuid', hash: 'text', changed_at: 'timestamptz' },
      );
      await insert(
        each.flatMap(([user_id, { totp }]) =>
          totp
            ? [
                {
                  user_id,
                  secret: vault.seal(spelledSecret(totp.secret), totpSealing(user_id)),
                  last_step: 0,
                  created_at: totp.createdAt ?? now,
                },
              ]
            : [],
        ),
        'totp',
        { user_id: 'uuid', secret: 'text', last_step: 'bigint', created_at: 'timestamptz' },
      );
      const codes = each.flatMap(([user_id, { recoveryCodes = [], recoveryCodeMacs = [] }]) => [
        ...recoveryCodes.map((code) => ({ user_id, mac: recoveryCodeMac(vault, user_id, code), issued_at: now })),
        ...recoveryCodeMacs.map(({ mac, issuedAt, usedAt }) => ({
          user_id,
          mac,
          issued_at: issuedAt,
          used_at: usedAt,
        })),
      ]);
      if (codes.length > 0) {
        const ids = [...new Set(codes.map(({ user_id }) => user_id))];
        const have = await db.query<{ user_id: string }>(
          'select distinct user_id from recovery_code where user_id = any($1)',
          [ids],
        );
        const had = new Set(have.map(({ user_id }) => user_id));
        await insert(
          codes.filter(({ user_id }) => !had.has(user_id)),
          'recovery_code',
          { user_id: 'uuid', mac: 'text', issued_at: 'timestamptz', used_at: 'timestamptz' },
        );
      }
      const passkeys = each.flatMap(([user_id, { passkeys = [] }]) =>
        passkeys.map((one) => ({
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
        })),
      );
      await insert(passkeys, 'passkey', {
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
      });
    },

    async of(userIds) {
      const found = new Map<string, WholeCredentials>(userIds.map((id) => [id, {}]));
      const of = (id: string) => found.get(id)!;
      const rows = <Row>(sql: string) => db.query<Row>(sql, [userIds]);
      for (const row of await rows<{ user_id: string; hash: string; changed_at: string }>(
        'select user_id, hash, changed_at from password where user_id = any($1)',
      )) {
        of(row.user_id).password = { hash: row.hash, changedAt: iso(row.changed_at) };
      }
      for (const row of await rows<{ user_id: string; secret: string; created_at: string }>(
        'select user_id, secret, created_at from totp where user_id = any($1)',
      )) {
        const secret = vault.open(row.secret, totpSealing(row.user_id));
        of(row.user_id).totp = { secret, createdAt: iso(row.created_at) };
      }
      for (const row of await rows<{ user_id: string; mac: string; issued_at: string; used_at: string | null }>(
        'select user_id, mac, issued_at, used_at from recovery_code where user_id = any($1) order by mac',
      )) {
        const one = of(row.user_id);
        one.recoveryCodeMacs ??= [];
        one.recoveryCodeMacs.push({ mac: row.mac, issuedAt: iso(row.issued_at)!, usedAt: iso(row.used_at) });
      }
      for (const row of await rows<Record<string, never>>(
        'select * from passkey where user_id = any($1) order by id',
      )) {
        const one = of(row.user_id!);
        one.passkeys ??= [];
        one.passkeys.push({
          id: row.id!,
          credentialId: row.credential_id!,
          publicKey: Buffer.from(row.public_key!).toString('base64url'),
          signCount: Number(row.sign_count),
          transports: row.transports!,
          aaguid: row.aaguid!,
          backupEligible: row.backup_eligible!,
          backedUp: row.backed_up!,
          name: row.name ?? undefined,
          createdAt: iso(row.created_at!),
          lastUsedAt: iso(row.last_used_at ?? null),
        });
      }
      return found;
    },

    isTotpSecret(text) {
      const secret = spelledSecret(text);
      if (!/^[A-Z2-7]{16,200}$/.test(secret)) return false;
      try {
        return Secret.fromBase32(secret).bytes.length >= 10;
      } catch {
        return false;
      }
    },
  };
}
