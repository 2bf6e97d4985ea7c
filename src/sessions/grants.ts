import { type Adapter, type AdapterPayload, errors, Provider } from 'oidc-provider';
import type { Db } from '../platform/db/index.ts';
import { type Clock, remembered, type Stops, secondsAfter, sha256 } from '../platform/index.ts';
import type { CaughtUp } from './caught-up.ts';
import { type GrantDocument, mergeGrants, words } from './grant-document.ts';

/** A grant that stands, as lists show it. */
export interface GrantSummary {
  id: string;
  accountId: string;
  clientId: string;
  createdAt: Date;
  expiresAt: Date;
  /** Granted OpenID scopes, and scopes by resource server. */
  scopes: string[];
  resourceScopes: Record<string, string[]>;
}

/** What others need to know of a grant that stands. */
export interface GrantFacts {
  accountId: string;
  clientId: string;
  expiresAt: Date;
  /** What the engine keeps, as JSON: it changes what it is given. */
  document: string;
}

/** Somebody was faster, or the use is a retry: by then the engine has looked at everything else in the request. */
export class RefreshTokenUsed extends errors.InvalidGrant {}

const none = async () => undefined;
const epoch = (moment: string): number => Math.floor(new Date(moment).getTime() / 1000);
const fromEpoch = (seconds: number): Date => new Date(seconds * 1000);

/** Why the engine ends a grant, by the endpoint at which it does. */
const reasonByRoute: Record<string, string> = {
  token: 'replayed',
  revocation: 'revoked',
  end_session_confirm: 'signed_out',
};

/**
 * Grants and refresh tokens, always in PostgreSQL. A grant is the switch: what hangs on it is dead once `ended_at` is
 * set, in one row, whatever else is stored where. The ended row stays a while, so that no late write revives it.
 */
export function createGrants(deps: {
  db: Db;
  clock: Clock;
  mayHold: (accountId: string) => Promise<boolean>;
  /** For so long after its use a refresh token presented again is a retry, not a theft. */
  refreshReplaySeconds: number;
  stops?: Stops | undefined;
  caughtUp?: CaughtUp | undefined;
}) {
  const { db, clock, mayHold, refreshReplaySeconds, stops, caughtUp } = deps;

  /** @param names what is remembered of them */
  const end = (where: string, params: unknown[], reason: string, names: readonly string[]): Promise<number> =>
    db.transact(async () => {
      const rows = await db.query(
        `update authorization_grant set ended_at = $1, ended_reason = $2 where ended_at is null and ${where} returning 1`,
        [clock.now(), reason, ...params],
      );
      if (rows.length > 0) stops?.mark(...names);
      return rows.length;
    });

  const standing = remembered<GrantFacts>({
    stops,
    topic: 'grant',
    alsoUnder: ({ accountId, clientId }) => [`holder:${accountId}`, `holdings-of:${clientId}`],
    keepMissing: false,
    maxAge: 30_000,
    most: 50_000,
    async load(id) {
      const [row] = await db.query<{ account_id: string; client_id: string; expires_at: string; document: string }>(
        `select account_id, client_id, expires_at, payload::text as document from authorization_grant where id = $1 and ended_at is null`,
        [id],
        'grant-facts',
      );
      return (
        row && {
          accountId: row.account_id,
          clientId: row.client_id,
          expiresAt: new Date(row.expires_at),
          document: row.document,
        }
      );
    },
  });

  const grantAdapter: Adapter = {
    /** @throws InvalidGrant when the account may hold nothing, or the grant has ended meanwhile */
    async upsert(id, payload, expiresIn) {
      const { jti, ...kept } = payload;
      const now = clock.now();
      await db.transact(async () => {
        // Locks the account against being stopped until we commit: no grant is born after a stop.
        if (!(await mayHold(payload.accountId!))) throw new errors.InvalidGrant('the account may hold no grant');
        const expiresAt = secondsAfter(now, expiresIn!);
        const fresh = await db.query(
          `insert into authorization_grant (id, account_id, client_id, payload, created_at, expires_at)
           values ($1, $2, $3, $4, $5, $6) on conflict (id) do nothing returning 1`,
          [id, payload.accountId, payload.clientId, JSON.stringify(kept), now, expiresAt],
        );
        if (fresh.length === 1) return;
        const [known] = await db.query<{ payload: GrantDocument }>(
          `select payload from authorization_grant
             where id = $1 and ended_at is null and account_id = $2 and client_id = $3 for update`,
          [id, payload.accountId, payload.clientId],
        );
        if (!known) throw new errors.InvalidGrant('the grant has ended');
        stops?.mark(`grant:${id}`);
        await db.query(
          `update authorization_grant set payload = $2, expires_at = greatest(expires_at, $3) where id = $1`,
          [id, JSON.stringify(mergeGrants(known.payload, kept as GrantDocument)), expiresAt],
        );
      });
    },
    async find(id) {
      if (caughtUp?.has()) {
        const known = await standing.get(id);
        // Made to live longer meanwhile, perhaps: nobody tells of that.
        if (known && known.expiresAt > clock.now()) {
          return { ...JSON.parse(known.document), jti: id, exp: Math.floor(known.expiresAt.getTime() / 1000) };
        }
      }
      const [row] = await db.query<{ payload: AdapterPayload; expires_at: string }>(
        `select payload, expires_at from authorization_grant where id = $1 and ended_at is null`,
        [id],
        'grant-find',
      );
      return row && { ...row.payload, jti: id, exp: epoch(row.expires_at) };
    },
    async destroy(id) {
      await end('id = $3', [id], reasonByRoute[Provider.ctx?.oidc?.route ?? ''] ?? 'ended', [`grant:${id}`]);
    },
    consume: none,
    revokeByGrantId: none,
    findByUid: none,
    findByUserCode: none,
  };

  const findRefreshToken = async (id: string) => {
    const [row] = await db.query<{ payload: AdapterPayload; consumed_at: string | null }>(
      `select t.payload, t.consumed_at from refresh_token t join authorization_grant g on g.id = t.grant_id
         where t.hash = $1 and g.ended_at is null`,
      [sha256(id)],
      'refresh-token-find',
    );
    return row;
  };
  const isRetry = (usedAt: string): boolean =>
    clock.now().getTime() - new Date(usedAt).getTime() < refreshReplaySeconds * 1000;

  const refreshTokenAdapter: Adapter = {
    /**
     * Hangs the token on its grant, and makes the grant live at least as long: else refresh tokens would die early.
     *
     * A code sent twice at once has its grant ended by the second request while the first is being answered. The first
     * may finish (what it gets is dead already): of a race exactly one is answered, and learns of the end at its next use.
     * @throws InvalidGrant when the grant has ended otherwise
     */
    async upsert(id, payload) {
      const { jti, consumed, ...kept } = payload;
      const rows = await db.query(
        `with longer as (
           update authorization_grant set expires_at = $4 where id = $2 and ended_at is null and expires_at < $4)
         insert into refresh_token (hash, grant_id, payload, expires_at)
         select $1, id, $3, $4 from authorization_grant
           where id = $2 and (ended_at is null or ended_reason = 'replayed')
         on conflict (hash) do update set payload = excluded.payload, expires_at = excluded.expires_at
         returning 1`,
        [sha256(id), payload.grantId, JSON.stringify(kept), fromEpoch(payload.exp!)],
        'refresh-token-write',
      );
      if (rows.length === 0) throw new errors.InvalidGrant('the grant has ended');
    },
    /**
     * A retry must not look used: the engine would end the grant, also when the retry came a moment after the door had
     * looked. It goes on to `consume`, which refuses it without harm.
     */
    async find(id) {
      const row = await findRefreshToken(id);
      const used = row?.consumed_at && !isRetry(row.consumed_at) && { consumed: epoch(row.consumed_at) };
      return row && { ...row.payload, jti: id, ...used };
    },
    /** @throws RefreshTokenUsed for all but the first */
    async consume(id) {
      const rows = await db.query(
        `update refresh_token set consumed_at = $2 where hash = $1 and consumed_at is null returning 1`,
        [sha256(id), clock.now()],
        'refresh-token-consume',
      );
      if (rows.length === 0) throw new RefreshTokenUsed('refresh token already used');
    },
    async destroy(id) {
      await db.query(`delete from refresh_token where hash = $1`, [sha256(id)]);
    },
    /** The engine asks for this also where the grant itself stays (an access token was revoked). */
    async revokeByGrantId(grantId) {
      await db.query(`delete from refresh_token where grant_id = $1`, [grantId]);
    },
    findByUid: none,
    findByUserCode: none,
  };

  const live = async (where: string, params: unknown[]): Promise<GrantSummary[]> => {
    const rows = await db.query<{
      id: string;
      account_id: string;
      client_id: string;
      created_at: string;
      expires_at: string;
      payload: GrantDocument;
    }>(
      `select id, account_id, client_id, created_at, expires_at, payload from authorization_grant
         where ended_at is null and expires_at > $1 and ${where} order by created_at desc`,
      [clock.now(), ...params],
    );
    return rows.map((row) => ({
      id: row.id,
      accountId: row.account_id,
      clientId: row.client_id,
      createdAt: new Date(row.created_at),
      expiresAt: new Date(row.expires_at),
      scopes: words(row.payload.openid?.scope),
      resourceScopes: Object.fromEntries(
        Object.entries(row.payload.resources ?? {}).map(([resource, scope]) => [resource, words(scope)]),
      ),
    }));
  };

  return {
    grantAdapter,
    refreshTokenAdapter,
    end,
    standing,
    findRefreshToken,
    async refreshTokenUsedAt(token: string): Promise<Date | undefined> {
      const row = await findRefreshToken(token);
      return row?.consumed_at ? new Date(row.consumed_at) : undefined;
    },
    grantsOf: (accountId: string) => live('account_id = $2', [accountId]),
    async isLive(grantId: string): Promise<boolean> {
      const rows = await db.query(
        `select 1 from authorization_grant where id = $1 and ended_at is null and expires_at > $2`,
        [grantId, clock.now()],
        'grant-live',
      );
      return rows.length === 1;
    },
  };
}
