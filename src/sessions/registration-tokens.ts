import type { Adapter, AdapterPayload } from 'oidc-provider';
import type { Db } from '../platform/db/index.ts';
import { sha256 } from '../platform/index.ts';

/** InitialAccessToken and RegistrationAccessToken (RFC 7591, RFC 7592): durable, and often without an end. */
export function createRegistrationTokenAdapter(model: string, { db }: { db: Db }): Adapter {
  const none = async () => undefined;
  return {
    async upsert(id, payload) {
      const { jti, ...kept } = payload;
      await db.query(
        `insert into registration_token (hash, model, client_id, payload, expires_at) values ($1, $2, $3, $4, $5)
         on conflict (hash) do update set payload = excluded.payload, expires_at = excluded.expires_at`,
        [
          sha256(id),
          model,
          payload.clientId ?? null,
          JSON.stringify(kept),
          payload.exp ? new Date(payload.exp * 1000) : null,
        ],
      );
    },
    async find(id) {
      const [row] = await db.query<{ payload: AdapterPayload }>(
        `select payload from registration_token where hash = $1 and model = $2`,
        [sha256(id), model],
      );
      return row && { ...row.payload, jti: id };
    },
    async destroy(id) {
      await db.query(`delete from registration_token where hash = $1`, [sha256(id)]);
    },
    consume: none,
    revokeByGrantId: none,
    findByUid: none,
    findByUserCode: none,
  };
}
