import type { Db } from '../platform/db/index.ts';
import { type Clock, secondsAfter } from '../platform/index.ts';
import { graceSeconds } from './artifacts.ts';

/** What ended stays this long, so that a request still under way cannot write it anew. */
const endedStaysSeconds = 24 * 3600;
/** A used refresh token is remembered this long: presented again, it shows a theft and ends the grant. */
const usedTokenStaysSeconds = 7 * 24 * 3600;

const batchesAtOnce = 20;

export interface CleanedUp {
  sessions: number;
  grants: number;
  refreshTokens: number;
  registrationTokens: number;
  revokedJwts: number;
}

/** Deletes what nobody can use any more, in batches small enough to hold no lock for long; several processes share it. */
export function createCleanUp({ db, clock }: { db: Db; clock: Clock }) {
  const sweep = async (table: string, key: string, where: string, before: Date, batch = 500): Promise<number> => {
    let deleted = 0;
    for (let round = 0; round < batchesAtOnce; round++) {
      const rows = await db.query(
        `delete from ${table} where ${key} in (
           select ${key} from ${table} where ${where} < $1 limit ${batch} for update skip locked) returning 1`,
        [before],
      );
      deleted += rows.length;
      if (rows.length < batch) break;
    }
    return deleted;
  };

  return async function cleanUp(): Promise<CleanedUp> {
    const now = clock.now();
    const expired = secondsAfter(now, -graceSeconds);
    const ended = secondsAfter(now, -endedStaysSeconds);
    // Tokens before the grants they hang on, so that few rows are left to cascade to.
    const refreshTokens =
      (await sweep('refresh_token', 'hash', 'expires_at', expired)) +
      (await sweep('refresh_token', 'hash', 'consumed_at', secondsAfter(now, -usedTokenStaysSeconds)));
    return {
      refreshTokens,
      grants:
        (await sweep('authorization_grant', 'id', 'expires_at', expired, 50)) +
        (await sweep('authorization_grant', 'id', 'ended_at', ended, 50)),
      sessions:
        (await sweep('session', 'uid', 'expires_at', expired)) + (await sweep('session', 'uid', 'ended_at', ended)),
      registrationTokens: await sweep('registration_token', 'hash', 'expires_at', expired),
      revokedJwts: await sweep('revoked_jwt', 'hash', 'expires_at', expired),
    };
  };
}
