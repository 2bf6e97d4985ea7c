import type { Db } from '../platform/db/index.ts';
import { type Clock, sha256 } from '../platform/index.ts';

/** JWT access tokens that were revoked one by one: the mark stays until the token would have expired anyway. */
export function createRevokedJwts({ db, clock }: { db: Db; clock: Clock }) {
  return {
    async revoke(jti: string, expiresAt: Date): Promise<void> {
      await db.query(`insert into revoked_jwt (hash, expires_at) values ($1, $2) on conflict (hash) do nothing`, [
        sha256(jti),
        expiresAt,
      ]);
    },
    async isRevoked(jti: string): Promise<boolean> {
      const rows = await db.query(
        `select 1 from revoked_jwt where hash = $1 and expires_at > $2`,
        [sha256(jti), clock.now()],
        'revoked-jwt-find',
      );
      return rows.length === 1;
    },
  };
}
