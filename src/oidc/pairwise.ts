import { createHmac } from 'node:crypto';
import type { Db } from '../platform/db/index.ts';
import { type Clock, randomToken } from '../platform/index.ts';

export type PairwiseIdentifier = (
  ctx: unknown,
  accountId: string,
  client: { sectorIdentifier?: string | undefined },
) => Promise<string>;

/**
 * Pairwise subjects (OpenID Connect Core 1.0, section 8.1) from a salt of the installation's own. It is made once and
 * never replaced: applications know people by what comes out, so it must outlive every CARDEA_SECRET. Whoever can read
 * it can read the accounts beside it.
 */
export async function createPairwise({ db, clock }: { db: Db; clock: Clock }): Promise<PairwiseIdentifier> {
  await db.query(
    `insert into setting (name, value, updated_at) values ('pairwise-salt', $1, $2) on conflict (name) do nothing`,
    [JSON.stringify(randomToken()), clock.now()],
  );
  const [row] = await db.query<{ value: string }>(`select value from setting where name = 'pairwise-salt'`);
  const salt = row!.value;
  return async (_ctx, accountId, { sectorIdentifier }) =>
    createHmac('sha256', salt).update(`${sectorIdentifier}:${accountId}`).digest('base64url');
}
