import type { Db } from '../platform/db/index.ts';
import { type Clock, Refusal, secondsAfter, type Vault } from '../platform/index.ts';
import type { Sessions } from '../sessions/index.ts';
import type { LogoutSource } from './upstreams/upstream.ts';

/** By which identity a sign-in came: noted with the session it becomes. */
export interface Came {
  identityId: string;
  sid?: string | undefined;
  idToken?: string | undefined;
}

const event = 'http://schemas.openid.net/event/backchannel-logout';
/** A logout token is sent at once; an old one was kept by somebody. */
const logoutTokenSeconds = 5 * 60;
const replays = 'federation-logout-token';
const idTokenContext = (uid: string) => `federated_session:${uid}`;

/** Our sessions that stand on a session at a provider. */
export function createFederatedSessions(deps: {
  db: Db;
  clock: Clock;
  vault: Vault;
  sessions: Pick<Sessions, 'endSession' | 'fleeting'>;
  /** Seconds that a session can last. */
  longest: number;
}) {
  const { db, clock, vault, sessions, longest } = deps;
  const refused = (why: string, cause?: unknown) =>
    new Refusal('federation.logout_token_refused', { kind: 'invalid', details: { why }, cause });

  /** OpenID Connect Back-Channel Logout 1.0, section 2.6. */
  const check = async (source: LogoutSource, token: string) => {
    const claims = await source.verify(token).catch((error: unknown) => {
      throw refused('signature, issuer, audience or expiry', error);
    });
    const { events, sub, sid, iat, jti } = claims;
    if (typeof events !== 'object' || events === null || !(event in events)) throw refused('events');
    // An ID token must not pass for one.
    if ('nonce' in claims) throw refused('nonce');
    if (typeof iat !== 'number' || Math.abs(clock.now().getTime() / 1000 - iat) > logoutTokenSeconds)
      throw refused('iat');
    if (typeof jti !== 'string' || jti === '') throw refused('jti');
    if (typeof sub !== 'string' && typeof sid !== 'string') throw refused('sub and sid');
    return {
      jti,
      subject: typeof sub === 'string' ? sub : undefined,
      sid: typeof sid === 'string' ? sid : undefined,
    };
  };

  return {
    /** Notes that a session stands on one of a provider. */
    async note(sessionUid: string, { identityId, sid, idToken }: Came): Promise<void> {
      const now = clock.now();
      await db.query(
        `insert into federated_session (session_uid, identity_id, provider_id, issuer, subject, upstream_sid,
           sealed_id_token, began_at, expires_at)
         select $1, id, provider_id, issuer, subject, $3, $4, $5, $6 from upstream_identity where id = $2
         on conflict (session_uid) do update set identity_id = excluded.identity_id, provider_id = excluded.provider_id,
           issuer = excluded.issuer, subject = excluded.subject, upstream_sid = excluded.upstream_sid,
           sealed_id_token = excluded.sealed_id_token, expires_at = excluded.expires_at`,
        [
          sessionUid,
          identityId,
          sid ?? null,
          idToken ? vault.seal(idToken, idTokenContext(sessionUid)) : null,
          now,
          secondsAfter(now, longest),
        ],
      );
    },

    async of(sessionUid: string): Promise<{ providerId: string; idToken: string | undefined } | undefined> {
      const [row] = await db.query<{ provider_id: string; sealed_id_token: string | null }>(
        'select provider_id, sealed_id_token from federated_session where session_uid = $1',
        [sessionUid],
      );
      if (!row) return undefined;
      const sealed = row.sealed_id_token;
      return {
        providerId: row.provider_id,
        idToken: sealed ? vault.open(sealed, idTokenContext(sessionUid)) : undefined,
      };
    },

    /** The sessions that came by an identity. */
    by: async (identityId: string): Promise<string[]> =>
      (
        await db.query<{ session_uid: string }>('select session_uid from federated_session where identity_id = $1', [
          identityId,
        ])
      ).map(({ session_uid: uid }) => uid),

    /**
     * Somebody has signed out there: what came of it ends here, and every application of ours is told by its own
     * logout token.
     * @returns how many sessions ended
     * @throws Refusal `federation.logout_token_refused` (invalid)
     */
    async logout(source: LogoutSource, token: string): Promise<number> {
      const { jti, subject, sid } = await check(source, token);
      const once = `${source.issuer} ${jti}`;
      if (!(await sessions.fleeting.add(replays, once, true, 2 * logoutTokenSeconds + 120))) throw refused('replayed');
      try {
        return await db.transact(async () => {
          const rows = await db.query<{ session_uid: string }>(
            `delete from federated_session where issuer = $1 and ($2::text is null or subject = $2)
               and ($3::text is null or upstream_sid = $3) returning session_uid`,
            [source.issuer, subject ?? null, sid ?? null],
          );
          for (const { session_uid: uid } of rows) await sessions.endSession(uid, 'federation.logout');
          return rows.length;
        });
      } catch (error) {
        // Not done: the provider may send it again.
        await sessions.fleeting.remove(replays, once);
        throw error;
      }
    },

    async tidy(): Promise<void> {
      await db.query('delete from federated_session where expires_at <= $1', [clock.now()]);
    },
  };
}
