import { randomInt } from 'node:crypto';
import type { Db } from '../../platform/db/index.ts';
import { type Clock, newId, Refusal, sameBytes, secondsAfter, sha256, type Vault } from '../../platform/index.ts';

/** How a code gets to the person. */
export type CodeKind = 'email' | 'sms';

/** A code under way, as far as a page may know it. */
export interface OpenCode {
  destination: string;
  sentAt: Date;
  expiresAt: Date;
}

/**
 * Codes sent to people: six digits, good once, for minutes, and only in the place they were asked for: one sign-in or one
 * session. Kept as MACs bound to their row (a million possibilities are soon tried).
 *
 * ```
 *  make ──▶ open ── use ──▶ used
 *            ├── five wrong ones ──▶ dead
 *            ├── a newer one in the same place ──▶ replaced
 *            └── time ──▶ expired
 * ```
 */
export interface SentCodes {
  /** In the open transaction. @throws Refusal `code.too_soon` (limited) when one was sent there a moment ago */
  make(input: {
    scope: string;
    kind: CodeKind;
    userId: string;
    destination: string;
  }): Promise<{ code: string; expiresAt: Date }>;
  open(scope: string, kind: CodeKind): Promise<OpenCode | undefined>;
  /**
   * Compares, at the cost of one of five attempts, which no rollback gives back; uses the code up if it is right: of many at
   * once one is accepted.
   * @returns where it had been sent; undefined when it is wrong, expired, used or from elsewhere
   */
  use(input: { scope: string; kind: CodeKind; userId: string; code: string }): Promise<string | undefined>;
  tidy(): Promise<void>;
}

const attempts = 5;
/** Seconds between two in one place: as long as one takes to arrive. */
const pause = 30;

/** @param deps.seconds for which a code is good */
export function createSentCodes(deps: { db: Db; clock: Clock; vault: Vault; seconds: number }): SentCodes {
  const { db, clock, vault, seconds } = deps;
  const macOf = (id: string, code: string) => vault.mac(`${id} ${code}`, 'sent-code');

  return {
    async make({ scope, kind, userId, destination }) {
      const id = newId();
      const code = randomInt(1_000_000).toString().padStart(6, '0');
      const now = clock.now();
      const expiresAt = secondsAfter(now, seconds);
      const made = await db.query(
        `insert into sent_code (scope, kind, id, account_id, destination, code_mac, attempts_left, sent_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (scope, kind) do update set
           id = excluded.id, account_id = excluded.account_id, destination = excluded.destination,
           code_mac = excluded.code_mac, attempts_left = excluded.attempts_left, sent_at = excluded.sent_at,
           expires_at = excluded.expires_at, used_at = null
           where sent_code.sent_at <= $10 or sent_code.used_at is not null
         returning 1`,
        [
          ...[sha256(scope), kind, id, userId, destination, macOf(id, code), attempts, now, expiresAt],
          secondsAfter(now, -pause),
        ],
      );
      if (made.length === 0) throw new Refusal('code.too_soon', { kind: 'limited', retryAfter: pause });
      return { code, expiresAt };
    },

    async open(scope, kind) {
      const [row] = await db.query<{ destination: string; sent_at: string; expires_at: string }>(
        `select destination, sent_at, expires_at from sent_code
         where scope = $1 and kind = $2 and used_at is null and expires_at > $3 and attempts_left > 0`,
        [sha256(scope), kind, clock.now()],
      );
      return (
        row && {
          destination: row.destination,
          sentAt: new Date(row.sent_at),
          expiresAt: new Date(row.expires_at),
        }
      );
    },

    async use({ scope, kind, userId, code }) {
      // On a connection of its own: counting first and for good is what bounds 64 guesses at once to five.
      const { rows } = await db.pool.query<{ id: string; code_mac: string; destination: string }>(
        `update sent_code set attempts_left = attempts_left - 1
         where scope = $1 and kind = $2 and account_id = $3 and used_at is null and expires_at > $4 and attempts_left > 0
         returning id, code_mac, destination`,
        [sha256(scope), kind, userId, clock.now()],
      );
      const [row] = rows;
      if (!row || !/^\d{6}$/.test(code) || !sameBytes(row.code_mac, macOf(row.id, code))) return undefined;
      const used = await db.query('update sent_code set used_at = $2 where id = $1 and used_at is null returning 1', [
        row.id,
        clock.now(),
      ]);
      return used.length === 1 ? row.destination : undefined;
    },

    async tidy() {
      await db.query('delete from sent_code where expires_at <= $1', [secondsAfter(clock.now(), -3_600)]);
    },
  };
}
