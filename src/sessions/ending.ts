import type { Db } from '../platform/db/index.ts';
import type { Stops } from '../platform/index.ts';
import type { createGrants } from './grants.ts';
import { applicationsOf, type createRegistry, type Ended, type SessionRecord } from './registry.ts';

/** Hears what ended, inside the transaction that ends it. @param reason for example `signed_out`, `user.suspended` */
export type EndedListener = (ended: readonly Ended[], reason: string) => Promise<void>;

/**
 * Ending, always one transaction (the caller's, if one is open): the durable truth changes there and then, so
 * copies in the fleeting half need no visit; they are dead at their next use and expire by themselves.
 */
export function createEnding(deps: {
  db: Db;
  grants: ReturnType<typeof createGrants>;
  registry: ReturnType<typeof createRegistry>;
  stops?: Stops | undefined;
}) {
  const { db, grants, registry, stops } = deps;
  const listeners: EndedListener[] = [];

  const tell = async (ended: Ended[], reason: string): Promise<Ended[]> => {
    if (ended.length > 0) for (const listener of listeners) await listener(ended, reason);
    return ended;
  };
  const applications = (sessions: SessionRecord[]): Ended[] => sessions.flatMap(applicationsOf);

  return {
    onEnded(listener: EndedListener): void {
      listeners.push(listener);
    },

    endSession: (uid: string, reason: string): Promise<Ended[]> =>
      db.transact(async () => {
        const sessions = await registry.end('uid = $3', [uid], reason, `session:${uid}`);
        const bound = sessions.flatMap((session) => grantIds(session, { offline: false }));
        const names = bound.map((id) => `grant:${id}`);
        if (bound.length > 0) await grants.end('id = any($3)', [bound], reason, names);
        return tell(applications(sessions), reason);
      }),

    endAllOf: (accountId: string, reason: string, { except }: { except?: string } = {}): Promise<Ended[]> =>
      db.transact(async () => {
        const kept = except ? await registry.find(except) : undefined;
        const keptGrants = kept ? grantIds(kept, { offline: true }) : [];
        const sessions = await registry.end(
          'account_id = $3 and uid is distinct from $4',
          [accountId, except ?? null],
          reason,
          `holder:${accountId}`,
        );
        // Whether they held anything or not: what is remembered of the person's own standing goes by this name too.
        stops?.mark(`holder:${accountId}`);
        await grants.end('account_id = $3 and id <> all($4::text[])', [accountId, keptGrants], reason, []);
        return tell(applications(sessions), reason);
      }),

    async endGrant(grantId: string, reason: string): Promise<boolean> {
      return (await grants.end('id = $3', [grantId], reason, [`grant:${grantId}`])) === 1;
    },

    endClient: (clientId: string, reason: string): Promise<void> =>
      db.transact(async () => {
        await grants.end('client_id = $3', [clientId], reason, [`holdings-of:${clientId}`]);
        await db.query('delete from registration_token where client_id = $1', [clientId]);
        await registry.forgetClient(clientId);
      }),

    /** The engine ends a session at sign-out; it has ended the session's grants before. */
    signOut: (uid: string): Promise<Ended[]> =>
      db.transact(async () =>
        tell(applications(await registry.end('uid = $3', [uid], 'signed_out', `session:${uid}`)), 'signed_out'),
      ),

    leave: (left: Ended[], change: () => Promise<void>): Promise<void> =>
      db.transact(async () => {
        await change();
        await tell(left, 'signed_out');
      }),
  };
}

const grantIds = (session: SessionRecord, { offline }: { offline: boolean }): string[] =>
  Object.values(session.authorizations).flatMap(({ grantId, persistsLogout }) =>
    grantId && (offline || !persistsLogout) ? [grantId] : [],
  );
