import type { Db } from '../platform/db/index.ts';
import { type Clock, Refusal, randomToken, secondsAfter, sha256 } from '../platform/index.ts';
import { emailKey } from './email.ts';

/**
 * Addresses that people have just given up. Each has a link by which its reader takes it back, and until that has expired
 * nobody else gets the address: whoever stole an account could otherwise make the way back impossible by registering it.
 */
export interface FormerAddresses {
  /** In the open transaction. @param seconds for which the way back is open @returns what the link carries */
  keep(input: { userId: string; email: string; seconds: number }): Promise<string>;
  /** Changes nothing; what a GET does. @throws Refusal `email.undo_refused` (invalid) */
  peek(token: string): Promise<{ userId: string; email: string; changedAt: Date }>;
  /**
   * Uses the link up, in the open transaction, and with it all that belong to later changes: they were the thief's.
   * @throws Refusal `email.undo_refused` (invalid)
   */
  take(token: string): Promise<{ userId: string; email: string; changedAt: Date }>;
  isKept(email: string, exceptFor: string): Promise<boolean>;
  tidy(): Promise<void>;
}

interface Row {
  account_id: string;
  email: string;
  changed_at: string;
}

const shown = (row: Row | undefined) => {
  if (!row) throw new Refusal('email.undo_refused', { kind: 'invalid' });
  return { userId: row.account_id, email: row.email, changedAt: new Date(row.changed_at) };
};

export function createFormerAddresses({ db, clock }: { db: Db; clock: Clock }): FormerAddresses {
  const open = 'used_at is null and expires_at > $2';
  const columns = 'account_id, email, changed_at';
  return {
    async keep({ userId, email, seconds }) {
      const token = randomToken();
      const now = clock.now();
      await db.query(
        `insert into email_undo (link_hash, account_id, email, email_key, changed_at, expires_at)
         values ($1, $2, $3, $4, $5, $6)`,
        [sha256(token), userId, email, emailKey(email), now, secondsAfter(now, seconds)],
      );
      return token;
    },

    async peek(token) {
      const [row] = await db.query<Row>(`select ${columns} from email_undo where link_hash = $1 and ${open}`, [
        sha256(token),
        clock.now(),
      ]);
      return shown(row);
    },

    async take(token) {
      const [row] = await db.query<Row>(
        `update email_undo set used_at = $2 where link_hash = $1 and ${open} returning ${columns}`,
        [sha256(token), clock.now()],
      );
      const taken = shown(row);
      await db.query(
        'update email_undo set used_at = $2 where account_id = $1 and changed_at >= $3 and used_at is null',
        [taken.userId, clock.now(), taken.changedAt],
      );
      return taken;
    },

    isKept: async (email, exceptFor) =>
      (
        await db.query(
          `select 1 from email_undo where email_key = $1 and ${open} and account_id <> $3 limit 1`,
          [emailKey(email), clock.now(), exceptFor],
          'email-is-kept',
        )
      ).length > 0,

    async tidy() {
      await db.query('delete from email_undo where expires_at <= $1', [clock.now()]);
    },
  };
}
