import { type Adapter, type AdapterPayload, errors, Provider } from 'oidc-provider';
import type { Db } from '../platform/db/index.ts';
import { allOf, type Clock, remembered, type Stops, secondsAfter } from '../platform/index.ts';
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

const none = async () => undefined;
const epoch = (moment: string): number => Math.floor(new Date(moment).getTime() / 1000);

/** Why the engine ends a grant, by the endpoint at which it does. */
const reasonByRoute: Record<string, string> = {
  token: 'replayed',
  revocation: 'revoked',
  end_session_confirm: 'signed_out',
};

/** Here nobody presents a grant, so that none can be invalid (RFC 6749, section 4.1.2.1). */
const signInRoutes = new Set(['authorization', 'resume', 'code_verification', 'device_resume']);
const refusal = (why: string): Error =>
  signInRoutes.has(Provider.ctx?.oidc?.route ?? '') ? new errors.AccessDenied(why) : new errors.InvalidGrant(why);

/**
 * Grants, always in PostgreSQL. A grant is the switch: what hangs on it is dead once `ended_at` is
 * set, in one row, whatever else is stored where. The ended row stays a while, so that no late write revives it.
 */
export function createGrants(deps: {
  db: Db;
  clock: Clock;
  mayHold: (accountId: string) => Promise<boolean>;
  stops?: Stops | undefined;
  caughtUp?: CaughtUp | undefined;
}) {
  const { db, clock, mayHold, stops, caughtUp } = deps;

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
    /** @throws InvalidGrant, at a sign-in AccessDenied, when the account may hold nothing or the grant has ended meanwhile */
    async upsert(id, payload, expiresIn) {
      const { jti, ...kept } = payload;
      const now = clock.now();
      caughtUp?.forget();
      await db.transact(async () => {
        const expiresAt = secondsAfter(now, expiresIn!);
        // Sent together and done in this order. The first locks the account against being stopped until we commit: no grant
        // is born after a stop.
        const [may, fresh] = await allOf([
          mayHold(payload.accountId!),
          db.query(
            `insert into authorization_grant (id, account_id, client_id, payload, created_at, expires_at)
             values ($1, $2, $3, $4, $5, $6) on conflict (id) do nothing returning 1`,
            [id, payload.accountId, payload.clientId, JSON.stringify(kept), now, expiresAt],
            'grant-insert',
          ),
        ]);
        if (!may) throw refusal('the account may hold no grant');
        if (fresh.length === 1) return;
        // Its key stays: refresh tokens that are born under it meanwhile do not wait for us.
        const [known] = await db.query<{ payload: GrantDocument }>(
          `select payload from authorization_grant
             where id = $1 and ended_at is null and account_id = $2 and client_id = $3 for no key update`,
          [id, payload.accountId, payload.clientId],
        );
        if (!known) throw refusal('the grant has ended');
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
      caughtUp?.forget();
      await end('id = $3', [id], reasonByRoute[Provider.ctx?.oidc?.route ?? ''] ?? 'ended', [`grant:${id}`]);
    },
    consume: none,
    revokeByGrantId: none,
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
    end,
    standing,
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
