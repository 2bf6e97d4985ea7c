import type { Db } from '../platform/db/index.ts';
import { type Clock, remembered, type Stops, sha256 } from '../platform/index.ts';

/** JWT access tokens that were revoked one by one: the mark stays until the token would have expired anyway. */
export function createRevokedJwts({ db, clock, stops }: { db: Db; clock: Clock; stops?: Stops | undefined }) {
  const known = remembered<boolean>({
    stops,
    topic: 'jwt',
    maxAge: 30_000,
    most: 50_000,
    async load(jti) {
      const rows = await db.query(
        `select 1 from revoked_jwt where hash = $1 and expires_at > $2`,
        [sha256(jti), clock.now()],
        'revoked-jwt-find',
      );
      return rows.length === 1;
    },
  });
  return {
    known,
    revoke: (jti: string, expiresAt: Date): Promise<void> =>
      db.transact(async () => {
        await db.query(`insert into revoked_jwt (hash, expires_at) values ($1, $2) on conflict (hash) do nothing`, [
          sha256(jti),
          expiresAt,
        ]);
        stops?.mark(`jwt:${jti}`);
      }),
    isRevoked: async (jti: string): Promise<boolean> => (await known.fresh(jti)) ?? false,
  };
}
