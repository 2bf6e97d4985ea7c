import { AsyncLocalStorage } from 'node:async_hooks';
import { type Adapter, type AdapterPayload, errors } from 'oidc-provider';
import type { Db } from '../platform/db/index.ts';
import { type Clock, Refusal, sha256, together } from '../platform/index.ts';
import type { CaughtUp } from './caught-up.ts';

/** Somebody was faster, or the use is a retry: by then the engine has looked at everything else in the request. */
export class RefreshTokenUsed extends errors.InvalidGrant {}

/** A used refresh token whose grant lives. */
export interface UsedRefreshToken {
  at: Date;
  /** Names the answer that it was traded for. */
  successor: string | undefined;
}

interface Row {
  hash: string;
  payload: AdapterPayload;
  consumed_at: string | null;
  successor: string | null;
}

/** A token that is traded for the next, while the engine works: nothing of it is written yet. */
interface Trade {
  used?: string;
  next?: Next;
}

interface Next {
  hash: string;
  payload: string;
  expiresAt: Date;
}

const none = async () => undefined;
const epoch = (moment: string): number => Math.floor(new Date(moment).getTime() / 1000);
const fromEpoch = (seconds: number): Date => new Date(seconds * 1000);

/**
 * Refresh tokens, always in PostgreSQL, each hanging on its grant. Many are written at once, so none waits for a grant that
 * somebody else has locked: it is being ended, or made to live longer, and the next refresh does that anyway.
 */
export function createRefreshTokens(deps: {
  db: Db;
  clock: Clock;
  /** For so long after its use a refresh token presented again is a retry, not a theft. */
  refreshReplaySeconds: number;
  caughtUp?: CaughtUp | undefined;
}) {
  const { db, clock, refreshReplaySeconds, caughtUp } = deps;
  const trades = new AsyncLocalStorage<Trade>();

  const findAll = together(async (hashes: string[]) => {
    const rows = await db.query<Row>(
      `select t.hash, t.payload, t.consumed_at, t.successor
         from refresh_token t join authorization_grant g on g.id = t.grant_id
         where t.hash = any($1::text[]) and g.ended_at is null`,
      [hashes],
      'refresh-token-find',
    );
    return hashes.map((hash) => rows.find((row) => row.hash === hash));
  });
  const find = (id: string) => findAll(sha256(id));
  const isRetry = (usedAt: string): boolean =>
    clock.now().getTime() - new Date(usedAt).getTime() < refreshReplaySeconds * 1000;

  const hang = sharing(async (all: readonly (Next & { grantId: string })[]) => {
    const rows = await db.query<{ hash: string }>(
      `with asked as (
         select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) as a (hash, grant_id, payload, expires_at)),
       longer as (
         ${lengthenGrants('asked')})
       insert into refresh_token (hash, grant_id, payload, expires_at)
       select a.hash, g.id, a.payload::json, a.expires_at from asked a join authorization_grant g on g.id = a.grant_id
         where g.ended_at is null or g.ended_reason = 'replayed'
       on conflict (hash) do update set payload = excluded.payload, expires_at = excluded.expires_at
       returning hash`,
      [
        all.map(({ hash }) => hash),
        all.map(({ grantId }) => grantId),
        all.map(({ payload }) => payload),
        all.map(({ expiresAt }) => expiresAt),
      ],
      'refresh-token-write',
    );
    const written = new Set(rows.map(({ hash }) => hash));
    return all.map(({ hash }) => written.has(hash));
  });

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
      if (!(await hang({ ...next, grantId: payload.grantId! }))) throw new errors.InvalidGrant('the grant has ended');
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

  /**
   * The use of each and the birth of its successor, in one statement. They are held in an order of their own: two who race
   * with the same tokens would else wait for each other. @returns whether it is so
   */
  const writeAll = async (trades: readonly Required<Trade>[]): Promise<boolean[]> => {
    const rows = await db.query<{ hash: string }>(
      `with asked as (
         select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) as a (used, hash, payload, expires_at)),
       held as (
         select hash from refresh_token where hash = any($1::text[]) and consumed_at is null order by hash for no key update),
       used as (
         update refresh_token t set consumed_at = $5, successor = a.hash from held h, asked a, authorization_grant g
           where t.hash = h.hash and a.used = h.hash and t.consumed_at is null and g.id = t.grant_id and g.ended_at is null
           returning t.grant_id, a.hash, a.payload, a.expires_at),
       longer as (
         ${lengthenGrants('used')})
       insert into refresh_token (hash, grant_id, payload, expires_at)
         select hash, grant_id, payload::json, expires_at from used returning hash`,
      [
        trades.map(({ used }) => used),
        trades.map(({ next }) => next.hash),
        trades.map(({ next }) => next.payload),
        trades.map(({ next }) => next.expiresAt),
        clock.now(),
      ],
      'refresh-token-trade',
    );
    const written = new Set(rows.map(({ hash }) => hash));
    return trades.map(({ next }) => written.has(next.hash));
  };
  const write = sharing(writeAll);

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
      if (!(await write(trade as Required<Trade>))) throw new RefreshTokenUsed('refresh token already used');
    },
  };
}

/** Makes grants live as long as the tokens in `tokens`; the others, which are most, are not even locked. */
const lengthenGrants = (tokens: 'asked' | 'used'): string =>
  `update authorization_grant g set expires_at = short.until from (
     select own.id, t.until from (select grant_id, max(expires_at) as until from ${tokens} group by grant_id) t
       join authorization_grant own on own.id = t.grant_id
       where own.ended_at is null and own.expires_at < t.until
       order by own.id for no key update of own skip locked) short
   where g.id = short.id`;

/** Written together, unless that fails of one of them: then each by itself, so that no other fails with it. */
function sharing<Asked>(write: (all: readonly Asked[]) => Promise<boolean[]>): (one: Asked) => Promise<boolean> {
  const all = together(async (asked: Asked[]) =>
    write(asked)
      .catch((error: unknown) => {
        if (asked.length === 1 || error instanceof Refusal) throw error;
        return undefined;
      })
      .then((answers) => answers ?? asked.map(() => undefined)),
  );
  return async (one) => (await all(one)) ?? (await write([one]))[0]!;
}
