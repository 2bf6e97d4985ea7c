import { AsyncLocalStorage } from 'node:async_hooks';
import { type Adapter, type AdapterPayload, errors } from 'oidc-provider';
import type { Db } from '../platform/db/index.ts';
import { type Clock, sha256 } from '../platform/index.ts';
import type { CaughtUp } from './caught-up.ts';

/** Somebody was faster, or the use is a retry: by then the engine has looked at everything else in the request. */
export class RefreshTokenUsed extends errors.InvalidGrant {}

/** A used refresh token whose grant lives. */
export interface UsedRefreshToken {
  at: Date;
  /** Names the answer that it was traded for. */
  successor: string | undefined;
}

/** A token that is traded for the next, while the engine works: nothing of it is written yet. */
interface Trade {
  used?: string;
  next?: { hash: string; payload: string; expiresAt: Date };
}

const none = async () => undefined;
const epoch = (moment: string): number => Math.floor(new Date(moment).getTime() / 1000);
const fromEpoch = (seconds: number): Date => new Date(seconds * 1000);

/** Refresh tokens, always in PostgreSQL, each hanging on its grant. */
export function createRefreshTokens(deps: {
  db: Db;
  clock: Clock;
  /** For so long after its use a refresh token presented again is a retry, not a theft. */
  refreshReplaySeconds: number;
  caughtUp?: CaughtUp | undefined;
}) {
  const { db, clock, refreshReplaySeconds, caughtUp } = deps;
  const trades = new AsyncLocalStorage<Trade>();

  const find = async (id: string) => {
    const [row] = await db.query<{ payload: AdapterPayload; consumed_at: string | null; successor: string | null }>(
      `select t.payload, t.consumed_at, t.successor from refresh_token t join authorization_grant g on g.id = t.grant_id
         where t.hash = $1 and g.ended_at is null`,
      [sha256(id)],
      'refresh-token-find',
    );
    return row;
  };
  const isRetry = (usedAt: string): boolean =>
    clock.now().getTime() - new Date(usedAt).getTime() < refreshReplaySeconds * 1000;

  const adapter: Adapter = {
    /**
     * Hangs the token on its grant, and makes the grant live at least as long: else refresh tokens would die early.
     *
     * A code sent twice at once has its grant ended by the second request while the first is being answered. The first
     * may finish (what it gets is dead already): of a race exactly one is answered, and learns of the end at its next use.
     * @throws InvalidGrant when the grant has ended otherwise
     */
    async upsert(id, payload) {
      const { jti, consumed, ...kept } = payload;
      const next = { hash: sha256(id), payload: JSON.stringify(kept), expiresAt: fromEpoch(payload.exp!) };
      const trade = trades.getStore();
      if (trade?.used) {
        trade.next = next;
        return;
      }
      const rows = await db.query(
        `with longer as (
           update authorization_grant set expires_at = $4 where id = $2 and ended_at is null and expires_at < $4)
         insert into refresh_token (hash, grant_id, payload, expires_at)
         select $1, id, $3, $4 from authorization_grant
           where id = $2 and (ended_at is null or ended_reason = 'replayed')
         on conflict (hash) do update set payload = excluded.payload, expires_at = excluded.expires_at
         returning 1`,
        [next.hash, payload.grantId, next.payload, next.expiresAt],
        'refresh-token-write',
      );
      if (rows.length === 0) throw new errors.InvalidGrant('the grant has ended');
    },
    /**
     * A retry must not look used: the engine would end the grant, also when the retry came a moment after the door had
     * looked. It goes on to `consume`, which refuses it without harm.
     */
    async find(id) {
      const row = await (caughtUp ? caughtUp.during(() => find(id)) : find(id));
      caughtUp?.note(row?.payload);
      const used = row?.consumed_at && !isRetry(row.consumed_at) && { consumed: epoch(row.consumed_at) };
      return row && { ...row.payload, jti: id, ...used };
    },
    /** @throws RefreshTokenUsed for all but the first; in a trade, at its end */
    async consume(id) {
      const trade = trades.getStore();
      if (trade) {
        trade.used = sha256(id);
        return;
      }
      const rows = await db.query(
        `update refresh_token set consumed_at = $2 where hash = $1 and consumed_at is null returning 1`,
        [sha256(id), clock.now()],
        'refresh-token-consume',
      );
      if (rows.length === 0) throw new RefreshTokenUsed('refresh token already used');
    },
    /** A used one stays until its time: presented again, it still shows a theft, also when its grant could not be ended. */
    async destroy(id) {
      await db.query(`delete from refresh_token where hash = $1 and consumed_at is null`, [sha256(id)]);
    },
    /** The engine asks for this also where the grant itself stays (an access token was revoked). */
    async revokeByGrantId(grantId) {
      await db.query(`delete from refresh_token where grant_id = $1`, [grantId]);
    },
    findByUid: none,
    findByUserCode: none,
  };

  /** The use of the one and the birth of the other, in one statement. */
  const write = async ({ used, next }: Trade): Promise<void> => {
    const { hash, payload, expiresAt } = next!;
    const rows = await db.query(
      `with used as (
         update refresh_token t set consumed_at = $2, successor = $3 from authorization_grant g
           where t.hash = $1 and t.consumed_at is null and g.id = t.grant_id and g.ended_at is null returning t.grant_id),
       longer as (
         update authorization_grant g set expires_at = $5 from used
           where g.id = used.grant_id and g.ended_at is null and g.expires_at < $5)
       insert into refresh_token (hash, grant_id, payload, expires_at) select $3, grant_id, $4, $5 from used returning 1`,
      [used, clock.now(), hash, payload, expiresAt],
      'refresh-token-trade',
    );
    if (rows.length === 0) throw new RefreshTokenUsed('refresh token already used');
  };

  return {
    adapter,
    find,
    async usedOf(token: string): Promise<UsedRefreshToken | undefined> {
      const row = await find(token);
      return row?.consumed_at ? { at: new Date(row.consumed_at), successor: row.successor ?? undefined } : undefined;
    },
    /**
     * Lets the engine trade a refresh token for the next: both are written at the end, in one statement.
     * @param before called before that with the name of the successor: what must be there when it is
     * @throws RefreshTokenUsed for all but the first
     */
    async trade(work: () => Promise<void>, before: (successor: string) => Promise<void>): Promise<void> {
      const trade: Trade = {};
      await trades.run(trade, work);
      if (!trade.used) return;
      if (!trade.next) throw new Error('a refresh token was used and not traded');
      await before(trade.next.hash);
      await write(trade);
    },
  };
}
