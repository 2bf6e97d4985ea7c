import type { AdapterPayload } from 'oidc-provider';
import type { Clock, Stops } from '../platform/index.ts';
import { accessTokenKey } from './artifacts.ts';
import type { createGrants, GrantFacts } from './grants.ts';
import type { createRefreshTokens } from './refresh-tokens.ts';
import type { createRegistry, SessionRecord } from './registry.ts';
import type { createRevokedJwts } from './revoked-jwts.ts';

export interface StoredToken extends AdapterPayload {
  kind: 'AccessToken' | 'ClientCredentials' | 'RefreshToken';
}

/** What hangs on what, for whoever answers whether a token is good. Only what stands is told. */
export interface Tokens {
  /**
   * The opaque token as it was issued, if it is kept. One round trip to the fleeting half for an access token; afterwards
   * everything that was stopped before it is known to the other questions.
   */
  find(value: string): Promise<StoredToken | undefined>;
  /** The same of access tokens of people alone. */
  findAccessToken(value: string): Promise<StoredToken | undefined>;
  /** Only the latter: for a token that nobody keeps. */
  catchUp(): Promise<void>;
  grant(id: string): Promise<GrantFacts | undefined>;
  /** Whether the session lives, is the account's, and has this grant for the application. */
  isBound(sessionUid: string, to: { accountId: string; clientId: string; grantId: string }): Promise<boolean>;
  isJwtRevoked(jti: string): Promise<boolean>;
}

export function createTokens(deps: {
  stops: Stops;
  clock: Clock;
  grants: ReturnType<typeof createGrants>;
  refreshTokens: ReturnType<typeof createRefreshTokens>;
  registry: ReturnType<typeof createRegistry>;
  revokedJwts: ReturnType<typeof createRevokedJwts>;
}): Tokens {
  const { stops, clock, grants, refreshTokens, registry, revokedJwts } = deps;
  const ifLive = <T extends { expiresAt: Date }>(found: T | undefined): T | undefined =>
    found && found.expiresAt > clock.now() ? found : undefined;

  return {
    async find(value) {
      const [kept] = await stops.catchUp([accessTokenKey(value)]);
      if (kept !== undefined) return JSON.parse(kept);
      const refresh = await refreshTokens.find(value);
      return refresh && !refresh.consumed_at ? { ...refresh.payload, kind: 'RefreshToken' } : undefined;
    },
    async findAccessToken(value) {
      const [kept] = await stops.catchUp([accessTokenKey(value)]);
      const token: StoredToken | undefined = kept === undefined ? undefined : JSON.parse(kept);
      return token?.kind === 'AccessToken' ? token : undefined;
    },
    async catchUp() {
      // Where it cannot be told what was stopped, nothing is answered from memory.
      await stops.catchUp().catch(() => {});
    },
    // What is remembered may be too old for a yes (a grant was made to live longer, an application was signed in), as
    // nobody tells of what began: so a no is looked up.
    grant: async (id) => ifLive(await grants.standing.get(id)) ?? ifLive(await grants.standing.fresh(id)),
    async isBound(uid, { accountId, clientId, grantId }) {
      const fits = (session: SessionRecord | undefined) =>
        session?.accountId === accountId && session.authorizations[clientId]?.grantId === grantId;
      return fits(ifLive(await registry.standing.get(uid))) || fits(ifLive(await registry.standing.fresh(uid)));
    },
    isJwtRevoked: async (jti) => (await revokedJwts.known.get(jti)) ?? false,
  };
}
