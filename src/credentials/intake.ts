import { Secret } from 'otpauth';
import type { Db } from '../platform/db/index.ts';
import type { Clock, Vault } from '../platform/index.ts';
import { recoveryCodeMac } from './factors/recovery-codes.ts';
import { totpSealing } from './factors/totp.ts';
import { iso, type PasskeyRow, passkeyColumns, passkeyOf, passkeyRow, type WholePasskey } from './passkeys/whole.ts';

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

/** Credentials by the hundred, in single statements. */
export interface CredentialIntake {
  /** In the open transaction. Nothing replaces what a person has: kinds they have already are left as they are. */
  store(all: ReadonlyMap<string, WholeCredentials>): Promise<void>;
  of(userIds: readonly string[]): Promise<Map<string, WholeCredentials>>;
  /** Whether the text is a TOTP secret: base32 of at least 80 bits. */
  isTotpSecret(text: string): boolean;
}

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

  type Each = readonly (readonly [userId: string, held: WholeCredentials])[];

  const storePasswords = (each: Each, now: string) =>
    insert(
      each.flatMap(([user_id, { password }]) =>
        password ? [{ user_id, hash: password.hash, changed_at: password.changedAt ?? now }] : [],
      ),
      'password',
      { user_id: 'uuid', hash: 'text', changed_at: 'timestamptz' },
    );

  const storeApps = (each: Each, now: string) =>
    insert(
      each.flatMap(([user_id, { totp }]) => {
        if (!totp) return [];
        const secret = vault.seal(spelledSecret(totp.secret), totpSealing(user_id));
        return [{ user_id, secret, last_step: 0, created_at: totp.createdAt ?? now }];
      }),
      'totp',
      { user_id: 'uuid', secret: 'text', last_step: 'bigint', created_at: 'timestamptz' },
    );

  /** All of somebody's codes or none: whoever has some keeps those. */
  const storeCodes = async (each: Each, now: string) => {
    const codes = each.flatMap(([user_id, { recoveryCodes = [], recoveryCodeMacs = [] }]) => [
      ...recoveryCodes.map((code) => ({ user_id, mac: recoveryCodeMac(vault, user_id, code), issued_at: now })),
      ...recoveryCodeMacs.map(({ mac, issuedAt, usedAt }) => ({ user_id, mac, issued_at: issuedAt, used_at: usedAt })),
    ]);
    if (codes.length === 0) return;
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
  };

  const storePasskeys = (each: Each, now: string) =>
    insert(
      each.flatMap(([user_id, { passkeys = [] }]) => passkeys.map((one) => passkeyRow(user_id, one, now))),
      'passkey',
      passkeyColumns,
    );

  /** Reads rows of a table about these people, and puts each where it belongs. */
  const gather = async <Row extends { user_id: string }>(
    sql: string,
    found: ReadonlyMap<string, WholeCredentials>,
    put: (held: WholeCredentials, row: Row) => void,
  ) => {
    for (const row of await db.query<Row>(sql, [[...found.keys()]])) put(found.get(row.user_id)!, row);
  };

  return {
    async store(all) {
      const now = clock.now().toISOString();
      const each = [...all];
      await storePasswords(each, now);
      await storeApps(each, now);
      await storeCodes(each, now);
      await storePasskeys(each, now);
    },

    async of(userIds) {
      const found = new Map<string, WholeCredentials>(userIds.map((id) => [id, {}]));
      await gather<{ user_id: string; hash: string; changed_at: string }>(
        'select user_id, hash, changed_at from password where user_id = any($1)',
        found,
        (held, { hash, changed_at }) => {
          held.password = { hash, changedAt: iso(changed_at) };
        },
      );
      await gather<{ user_id: string; secret: string; created_at: string }>(
        'select user_id, secret, created_at from totp where user_id = any($1)',
        found,
        (held, { user_id, secret, created_at }) => {
          held.totp = { secret: vault.open(secret, totpSealing(user_id)), createdAt: iso(created_at) };
        },
      );
      await gather<{ user_id: string; mac: string; issued_at: string; used_at: string | null }>(
        'select user_id, mac, issued_at, used_at from recovery_code where user_id = any($1) order by mac',
        found,
        (held, { mac, issued_at, used_at }) => {
          held.recoveryCodeMacs ??= [];
          held.recoveryCodeMacs.push({ mac, issuedAt: iso(issued_at)!, usedAt: iso(used_at) });
        },
      );
      await gather<PasskeyRow>('select * from passkey where user_id = any($1) order by id', found, (held, row) => {
        held.passkeys ??= [];
        held.passkeys.push(passkeyOf(row));
      });
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
