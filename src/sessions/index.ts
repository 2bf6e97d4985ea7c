/**
 * What was granted and still stands: the artifact store of the protocol engine (grants, tokens, codes, sessions), the
 * registry of sign-in sessions, their listing and their ending. It knows a user only as an id and asks `mayHold`
 * whether that id may be given something; it leaves who people are to `users` and applications to `clients`.
 *
 * Two halves. Durable, always in PostgreSQL: grants, refresh tokens, registration tokens, the session registry, marks
 * of revoked JWTs. Fleeting, in Redis when there is one, else in PostgreSQL: the rest; losing it costs a new sign-in.
 */
import type { Adapter } from 'oidc-provider';
import type { Db } from '../platform/db/index.ts';
import type { CacheReads, Clock, RedisConnection, Stops, Vault } from '../platform/index.ts';
import { createPostgresKeyValue, createRedisKeyValue } from '../platform/kv/index.ts';
import { createFleetingAdapter, createReplayAdapter, fleetingModels } from './artifacts.ts';
import { createCaughtUp } from './caught-up.ts';
import { type CleanedUp, createCleanUp } from './clean-up.ts';
import { createEnding, type EndedListener } from './ending.ts';
import { createSessionAdapter, currentRequest, type RequestFacts } from './engine-session.ts';
import { createFleeting, type Fleeting } from './fleeting.ts';
import { createGrants, type GrantFacts, type GrantSummary } from './grants.ts';
import { createRefreshTokens, type UsedRefreshToken } from './refresh-tokens.ts';
import { createRegistrationTokenAdapter } from './registration-tokens.ts';
import { type Authorization, createRegistry, type Ended, type SessionRecord } from './registry.ts';
import { createRevokedJwts } from './revoked-jwts.ts';
import { createTokens, type StoredToken, type Tokens } from './tokens.ts';
import { tellUnavailable } from './unavailable.ts';

export { RefreshTokenUsed } from './refresh-tokens.ts';
export { StoreUnavailable } from './unavailable.ts';
export type {
  Authorization,
  CleanedUp,
  Ended,
  EndedListener,
  Fleeting,
  GrantFacts,
  GrantSummary,
  RequestFacts,
  SessionRecord,
  StoredToken,
  Tokens,
  UsedRefreshToken,
};

export interface Sessions {
  /** The engine's storage for a model (all but `Client`). A store out of reach becomes {@link StoreUnavailable}, 503. */
  adapter(model: string): Adapter;
  fleeting: Fleeting;
  /**
   * Lets the engine trade a refresh token for the next: its use and its successor are written at the end, in one
   * statement; nothing is when `work` throws.
   * @param before called before that, with a name of the successor: for what must be there when it is
   * @throws RefreshTokenUsed for all but the first
   */
  tradeRefreshToken(work: () => Promise<void>, before: (successor: string) => Promise<void>): Promise<void>;

  /** Sign-in sessions that live, the one used last first. */
  listOf(accountId: string): Promise<SessionRecord[]>;
  find(uid: string): Promise<SessionRecord | undefined>;
  /** Notes that a session is in use; the engine's own writes do so already, at most once a minute. */
  touch(uid: string): Promise<void>;
  /**
   * Gives an application its part in a living session, unless it has one whose grant lives. Tabs that sign in to one
   * application at once would else each bring a grant, and all but the last would find their codes void.
   * @returns the part it has now; undefined when the session does not live or nobody has signed in to it yet
   */
  authorize(sessionUid: string, clientId: string, wanted: Authorization): Promise<Authorization | undefined>;
  grantsOf(accountId: string): Promise<GrantSummary[]>;
  /** Whether what hangs on the grant may be used. */
  isGrantLive(grantId: string): Promise<boolean>;
  /** How a refresh token was used, if it was and its grant lives. */
  usedRefreshToken(token: string): Promise<UsedRefreshToken | undefined>;
  /** Revokes one JWT access token; the mark stays until `expiresAt`, the token's own `exp`. */
  revokeJwt(jti: string, expiresAt: Date): Promise<void>;
  isJwtRevoked(jti: string): Promise<boolean>;
  /** Questions about tokens, answered from memory where nothing was stopped since; not without `stops`. */
  tokens: Tokens;
  /** Whether the engine's request at hand may be answered from memory, as it has heard of all that was stopped. */
  hasCaughtUp(): boolean;
  /** How often they were, by what they were about. */
  cacheReads: Readonly<Record<'grants' | 'sessions' | 'revoked_jwts', () => CacheReads>>;

  /**
   * Ends every session and grant of an account, in the caller's transaction if one is open. Whatever hung on them, in
   * whatever format, is refused at its next use. @param options.except uid of a session to keep, with its grants
   */
  endAllOf(accountId: string, reason: string, options?: { except?: string }): Promise<Ended[]>;
  /** Ends one session and its grants, except those with offline access. */
  endSession(uid: string, reason: string): Promise<Ended[]>;
  /** Ends a grant and all that hangs on it, by one row. @returns whether it lived */
  endGrant(grantId: string, reason: string): Promise<boolean>;
  /** Ends all grants of an application and its registration tokens. */
  endClient(clientId: string, reason: string): Promise<void>;
  /** Hears each ending inside its transaction: by the engine at sign-out, by a person, by an administrator. */
  onEnded(listener: EndedListener): void;

  /** Deletes what expired, in small batches; call it every minute or so, from any number of processes. */
  cleanUp(): Promise<CleanedUp & { fleeting: number }>;
}

/**
 * @param deps.redis where the fleeting half lives; PostgreSQL without it
 * @param deps.mayHold whether an account may be given sessions and grants. Asked inside the transaction that writes
 *   them; it must lock the account against being stopped until that transaction ends
 * @param deps.refreshReplaySeconds for so long after its use a refresh token presented again does not look used to the
 *   engine, which therefore refuses it without ending the grant; who answers retries asks `usedRefreshToken`
 * @param deps.stops hears of each ending; by it what is remembered elsewhere is forgotten
 * @param deps.request what is known of the request at hand; by default read from the engine's context
 */
export function createSessions(deps: {
  db: Db;
  redis?: RedisConnection | undefined;
  clock: Clock;
  vault: Vault;
  mayHold: (accountId: string) => Promise<boolean>;
  refreshReplaySeconds?: number;
  stops?: Stops;
  request?: () => RequestFacts;
}): Sessions {
  const { db, redis, clock, vault, mayHold, refreshReplaySeconds = 0, stops, request = currentRequest } = deps;
  const kv = redis ? createRedisKeyValue({ redis, clock }) : createPostgresKeyValue({ db, clock });
  const caughtUp = stops && createCaughtUp(stops, kv);
  const grants = createGrants({ db, clock, mayHold, stops, caughtUp });
  const refreshTokens = createRefreshTokens({ db, clock, refreshReplaySeconds, caughtUp });
  const registry = createRegistry({ db, clock, mayHold, stops });
  const { signOut, leave, ...ending } = createEnding({ db, grants, registry, stops });
  const revokedJwts = createRevokedJwts({ db, clock, stops });
  const cleanUp = createCleanUp({ db, clock });

  const build = (model: string): Adapter => {
    const fleetingModel = fleetingModels[model];
    if (fleetingModel) return createFleetingAdapter(model, fleetingModel, { kv, vault, caughtUp });
    switch (model) {
      case 'Grant':
        return grants.grantAdapter;
      case 'RefreshToken':
        return refreshTokens.adapter;
      case 'InitialAccessToken':
      case 'RegistrationAccessToken':
        return createRegistrationTokenAdapter(model, { db });
      case 'ReplayDetection':
        return createReplayAdapter(kv);
      case 'Session':
        return createSessionAdapter({ kv, registry, clock, request, end: signOut, leave, caughtUp });
      default:
        throw new Error(`no place is known for the model ${model}`);
    }
  };

  // One adapter a model, whoever asks: providers come and go with keys and configuration.
  const adapters = new Map<string, Adapter>();
  const adapter = (model: string): Adapter => {
    const known = adapters.get(model) ?? tellUnavailable(build(model));
    adapters.set(model, known);
    return known;
  };

  return {
    ...ending,
    adapter,
    fleeting: createFleeting({ kv, vault }),
    tradeRefreshToken: refreshTokens.trade,
    listOf: registry.listOf,
    find: registry.find,
    touch: registry.touch,
    authorize: registry.authorize,
    grantsOf: grants.grantsOf,
    isGrantLive: grants.isLive,
    usedRefreshToken: refreshTokens.usedOf,
    revokeJwt: revokedJwts.revoke,
    isJwtRevoked: revokedJwts.isRevoked,
    tokens: stops ? createTokens({ stops, clock, grants, refreshTokens, registry, revokedJwts }) : (undefined as never),
    hasCaughtUp: () => caughtUp?.has() ?? false,
    cacheReads: {
      grants: grants.standing.reads,
      sessions: registry.standing.reads,
      revoked_jwts: revokedJwts.known.reads,
    },
    cleanUp: async () => ({ ...(await cleanUp()), fleeting: await kv.cleanUp() }),
  };
}
