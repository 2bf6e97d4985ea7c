import { randomInt } from 'node:crypto';
import type { Db } from '../../platform/db/index.ts';
import type { Clock, Vault } from '../../platform/index.ts';

/** Codes on paper, each of which stands in for the second factor once. */
export interface RecoveryCodes {
  /** Makes ten new ones; the old ones end. They are in this answer and nowhere else. */
  issue(userId: string): Promise<string[]>;
  /** Uses the code up. @returns how many are left; undefined when it is wrong or was used: of many at once, one gets in */
  use(userId: string, code: string): Promise<number | undefined>;
  left(userId: string): Promise<number>;
  /** @param options.since only those issued then or later */
  remove(userId: string, options?: { since?: Date }): Promise<void>;
}

const count = 10;
/** Neither 0 nor o, 1 nor l nor i: what is copied by hand must not be misread. Ten of 31 make 49 bits. */
const alphabet = 'abcdefghjkmnpqrstuvwxyz23456789';
const purpose = 'recovery-code';

const fresh = (): string => {
  const letters = Array.from({ length: 10 }, () => alphabet[randomInt(alphabet.length)]).join('');
  return `${letters.slice(0, 5)}-${letters.slice(5)}`;
};

/** The same code however it is typed. */
const plain = (code: string): string =>
  code
    .slice(0, 100)
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '');

/** How a code is kept. */
export const recoveryCodeMac = (vault: Vault, userId: string, code: string): string =>
  vault.mac(`${userId}:${plain(code)}`, purpose);

/** Kept as keyed hashes: whoever reads the table without CARDEA_SECRET cannot even guess. */
export function createRecoveryCodes({ db, clock, vault }: { db: Db; clock: Clock; vault: Vault }): RecoveryCodes {
  const named = (userId: string, code: string) => `${userId}:${plain(code)}`;

  const left = async (userId: string): Promise<number> => {
    const [row] = await db.query<{ left: number }>(
      'select count(*)::int as left from recovery_code where user_id = $1 and used_at is null',
      [userId],
    );
    return row!.left;
  };

  return {
    left,
    issue: (userId) =>
      db.transact(async () => {
        const codes = new Set<string>();
        while (codes.size < count) codes.add(fresh());
        await db.query('delete from recovery_code where user_id = $1', [userId]);
        await db.query(
          'insert into recovery_code (user_id, mac, issued_at) select $1, mac, $3 from unnest($2::text[]) as mac',
          [userId, [...codes].map((code) => recoveryCodeMac(vault, userId, code)), clock.now()],
        );
        return [...codes];
      }),

    async use(userId, code) {
      const used = await db.query(
        `update recovery_code set used_at = $3 where user_id = $1 and mac = any($2::text[]) and used_at is null
           returning 1`,
        [userId, vault.macs(named(userId, code), purpose), clock.now()],
      );
      return used.length === 1 ? left(userId) : undefined;
    },

    async remove(userId, { since } = {}) {
      await db.query('delete from recovery_code where user_id = $1 and ($2::timestamptz is null or issued_at >= $2)', [
        userId,
        since ?? null,
      ]);
    },
  };
}
