import type { Db } from '../platform/db/index.ts';
import { type Clock, newId, Refusal, randomToken, secondsAfter, sha256 } from '../platform/index.ts';

export type Stage = 'organisation' | 'administrator' | 'application' | 'finished';

export interface SetupLink {
  id: string;
  stage: Stage;
  administratorId: string | undefined;
}

/**
 * The link's token opens one stage of the wizard after the other, each once:
 * organisation → administrator → application → finished.
 */
export function createSetupLinks({ db, clock, seconds }: { db: Db; clock: Clock; seconds: number }) {
  return {
    /** A new token; older ones that made no administrator yet are worth nothing any more. */
    async issue(): Promise<string> {
      const token = randomToken();
      await db.transact(async () => {
        await db.query(`delete from setup_link where stage in ('organisation', 'administrator') or expires_at < $1`, [
          clock.now(),
        ]);
        await db.query(
          `insert into setup_link (id, token_hash, stage, expires_at) values ($1, $2, 'organisation', $3)`,
          [newId(), sha256(token), secondsAfter(clock.now(), seconds)],
        );
      });
      return token;
    },

    /** @throws Refusal `setup.link_used` or `setup.link_expired` (forbidden) */
    async open(token: string): Promise<SetupLink> {
      const [row] = await db.query<{ id: string; stage: Stage; administrator_id: string | null; expires_at: Date }>(
        'select id, stage, administrator_id, expires_at from setup_link where token_hash = $1',
        [sha256(token)],
      );
      if (!row || row.stage === 'finished') throw new Refusal('setup.link_used', { kind: 'forbidden' });
      if (new Date(row.expires_at) <= clock.now()) throw new Refusal('setup.link_expired', { kind: 'forbidden' });
      return { id: row.id, stage: row.stage, administratorId: row.administrator_id ?? undefined };
    },

    /** Moves on, in the open transaction; of two at once one wins. @throws Refusal `setup.link_used` (forbidden) */
    async advance(link: SetupLink, to: Stage, administratorId?: string): Promise<void> {
      const moved = await db.query(
        `update setup_link set stage = $3, administrator_id = coalesce($4, administrator_id)
         where id = $1 and stage = $2 returning 1`,
        [link.id, link.stage, to, administratorId ?? null],
      );
      if (moved.length === 0) throw new Refusal('setup.link_used', { kind: 'forbidden' });
    },
  };
}
