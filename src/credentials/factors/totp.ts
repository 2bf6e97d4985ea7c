import { Secret, TOTP } from 'otpauth';
import type { Db } from '../../platform/db/index.ts';
import { type Clock, Refusal, type Vault } from '../../platform/index.ts';

/** A secret that waits for the person's app to show that it has it. */
export interface TotpSetup {
  /** Sealed, for this person and {@link setupSeconds}: travels through the form instead of a row that may never be used. */
  token: string;
  /** Base32, as it is typed into an app. */
  secret: string;
  /** `otpauth://…`, as it is read from a QR code. */
  uri: string;
}

/** Time-based one-time codes (RFC 6238: SHA-1, six digits, 30 seconds, as every app speaks them); one app a person. */
export interface Totp {
  /** @param input.account what the app shows beside the organisation's name */
  begin(input: { userId: string; account: string }): TotpSetup;
  /** The setup that a form has brought back, to be shown again. @throws Refusal `totp.setup_expired` (invalid) */
  resume(input: { userId: string; account: string; token: string }): TotpSetup;
  /**
   * Enrols, in the open transaction, when the code is that of the setup's secret.
   * @throws Refusal `totp.setup_expired`, `totp.code_refused` (invalid), `totp.enrolled` (conflict)
   */
  confirm(input: { userId: string; token: string; code: string }): Promise<void>;
  /** Whether the code is right and of a time step not accepted before: of many at once, one is accepted. */
  check(userId: string, code: string): Promise<boolean>;
  of(userId: string): Promise<{ createdAt: Date; usedAt: Date | undefined } | undefined>;
  /** @returns whether there was one */
  remove(userId: string): Promise<boolean>;
  /** Seals under the newest CARDEA_SECRET what an older one sealed. @returns how many */
  reseal(): Promise<number>;
}

/** What a stored secret is bound to. */
export const totpSealing = (userId: string): string => `totp:${userId}`;

const period = 30;
const setupSeconds = 15 * 60;

/** @param options.issuer the organisation, as apps show it */
export function createTotp(options: { db: Db; clock: Clock; vault: Vault; issuer: string }): Totp {
  const { db, clock, vault, issuer } = options;
  const sealing = totpSealing;
  const setting = (userId: string) => `totp-setup:${userId}`;

  const codesOf = (secret: string, label = '') =>
    new TOTP({ issuer, label, algorithm: 'SHA1', digits: 6, period, secret: Secret.fromBase32(secret) });

  /** The time step that the code is right for, one before and one after now included (section 5.2). */
  const stepOf = (secret: string, code: string): number | undefined => {
    if (!/^\d{6}$/.test(code)) return undefined;
    const timestamp = clock.now().getTime();
    const delta = codesOf(secret).validate({ token: code, timestamp, window: 1 });
    return delta === null ? undefined : Math.floor(timestamp / 1000 / period) + delta;
  };

  const shown = (account: string, secret: string, token: string): TotpSetup => ({
    token,
    secret,
    uri: codesOf(secret, account).toString(),
  });

  const openSetup = (userId: string, token: string): string => {
    try {
      const { secret, until } = JSON.parse(vault.open(token, setting(userId))) as { secret: string; until: number };
      if (until > clock.now().getTime()) return secret;
    } catch {
      // Made up, another person's, or under a secret that is gone.
    }
    throw new Refusal('totp.setup_expired', { kind: 'invalid' });
  };

  return {
    begin({ userId, account }) {
      const { base32: secret } = new Secret({ size: 20 });
      const until = clock.now().getTime() + setupSeconds * 1000;
      return shown(account, secret, vault.seal(JSON.stringify({ secret, until }), setting(userId)));
    },

    resume: ({ userId, account, token }) => shown(account, openSetup(userId, token), token),

    async confirm({ userId, token, code }) {
      const secret = openSetup(userId, token);
      const step = stepOf(secret, code);
      if (step === undefined) throw new Refusal('totp.code_refused', { kind: 'invalid' });
      const rows = await db.query(
        `insert into totp (user_id, secret, last_step, created_at) values ($1, $2, $3, $4)
           on conflict (user_id) do nothing returning 1`,
        [userId, vault.seal(secret, sealing(userId)), step, clock.now()],
      );
      if (rows.length === 0) throw new Refusal('totp.enrolled', { kind: 'conflict' });
    },

    async check(userId, code) {
      const [row] = await db.query<{ secret: string }>('select secret from totp where user_id = $1', [userId]);
      const step = row && stepOf(vault.open(row.secret, sealing(userId)), code);
      if (step === undefined) return false;
      const accepted = await db.query(
        'update totp set last_step = $2, used_at = $3 where user_id = $1 and last_step < $2 returning 1',
        [userId, step, clock.now()],
      );
      return accepted.length === 1;
    },

    async of(userId) {
      const [row] = await db.query<{ created_at: string; used_at: string | null }>(
        'select created_at, used_at from totp where user_id = $1',
        [userId],
      );
      return row && { createdAt: new Date(row.created_at), usedAt: row.used_at ? new Date(row.used_at) : undefined };
    },

    remove: async (userId) =>
      (await db.query('delete from totp where user_id = $1 returning 1', [userId])).length === 1,

    async reseal() {
      const rows = await db.query<{ user_id: string; secret: string }>('select user_id, secret from totp');
      const old = rows.filter(({ secret }) => !vault.isCurrent(secret));
      for (const { user_id: userId, secret } of old) {
        await db.query('update totp set secret = $3 where user_id = $1 and secret = $2', [
          userId,
          secret,
          vault.seal(vault.open(secret, sealing(userId)), sealing(userId)),
        ]);
      }
      return old.length;
    },
  };
}
