import { errors } from 'oidc-provider';
import type { Db } from '../platform/db/index.ts';
import { allOf, type Clock, remembered, type Stops, together } from '../platform/index.ts';

/** What the engine keeps in a session for one application. */
export interface Authorization {
  sid?: string;
  grantId?: string;
  /** The grant outlives signing out: the application was given offline access. */
  persistsLogout?: boolean;
}

export type Authorizations = Record<string, Authorization>;

/** A sign-in session. */
export interface SessionRecord {
  uid: string;
  accountId: string;
  createdAt: Date;
  seenAt: Date;
  expiresAt: Date;
  /** When the person last proved who they are, how strongly (`acr`) and by what (`amr`). */
  authTime: Date;
  acr: string | undefined;
  amr: string[] | undefined;
  remember: boolean;
  ip: string | undefined;
  userAgent: string | undefined;
  authorizations: Authorizations;
}

/** One application's part in a session that ended: what a back-channel logout needs. */
export interface Ended {
  accountId: string;
  sessionUid: string;
  clientId: string;
  sid: string;
}

export interface SignIn {
  uid: string;
  accountId: string;
  authTime: Date;
  acr: string | undefined;
  amr: string[] | undefined;
  remember: boolean;
  expiresAt: Date;
  ip: string | undefined;
  userAgent: string | undefined;
}

/** What a request changed in a session's authorizations; the rest belongs to other requests. */
export interface Changes {
  set: Authorizations;
  removed: string[];
}

export const isChange = ({ set, removed }: Changes): boolean => removed.length > 0 || Object.keys(set).length > 0;

/** Another grant for an application ends what hung on the one before; a first one ends nothing. */
const takesAway = ({ set, removed }: Changes, before: Authorizations): boolean =>
  removed.some((clientId) => clientId in before) ||
  Object.entries(set).some(([clientId, { grantId }]) => (before[clientId]?.grantId ?? grantId) !== grantId);

interface Row {
  uid: string;
  account_id: string;
  created_at: string;
  seen_at: string;
  expires_at: string;
  auth_time: string;
  acr: string | null;
  amr: string[] | null;
  remember: boolean;
  ip: string | null;
  user_agent: string | null;
  authorizations: Authorizations;
}

// Named one by one: a prepared `select *` breaks in the processes that still run while a migration adds a column.
const columns = `uid, account_id, created_at, seen_at, expires_at, auth_time, acr, amr, remember, ip, user_agent,
  authorizations`;

const sessionEnded = () => new errors.AccessDenied('the session has ended');

/**
 * One row for each session somebody signed in to, always in PostgreSQL: it decides whether the session lives, whoever
 * else still holds a copy, and an ended one stays ended however late a write arrives.
 */
export function createRegistry(deps: {
  db: Db;
  clock: Clock;
  mayHold: (accountId: string) => Promise<boolean>;
  stops?: Stops | undefined;
}) {
  const { db, clock, mayHold, stops } = deps;

  const findRows = async (uids: string[]): Promise<(Row | undefined)[]> => {
    const rows = await db.query<Row>(
      `select ${columns} from session where uid = any($1::text[]) and ended_at is null and expires_at > $2`,
      [uids, clock.now()],
      'session-find',
    );
    const found = new Map(rows.map((row) => [row.uid, row]));
    return uids.map((uid) => found.get(uid));
  };
  const findRow = together(findRows);

  /** Those that live, as the last who asked found them: nobody tells of what was added since. */
  const standing = remembered<SessionRecord>({
    stops,
    topic: 'session',
    alsoUnder: ({ accountId }) => [`holder:${accountId}`],
    keepMissing: false,
    maxAge: 30_000,
    most: 50_000,
    async load(uid) {
      const row = await findRow(uid);
      return row && record(row);
    },
  });

  const write = (signIn: SignIn, changes: Changes, now: Date) =>
    db.query<{ is_new: boolean }>(
      `insert into session as s (uid, account_id, created_at, seen_at, expires_at, auth_time, acr, amr, remember,
         ip, user_agent, authorizations)
       values ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9, $10, $11)
       on conflict (uid) do update set seen_at = excluded.seen_at, expires_at = excluded.expires_at,
         auth_time = excluded.auth_time, acr = excluded.acr, amr = excluded.amr, remember = excluded.remember,
         authorizations = (s.authorizations - $12::text[]) || excluded.authorizations
         where s.ended_at is null and s.account_id = excluded.account_id
       returning xmax = 0 as is_new`,
      [
        signIn.uid,
        signIn.accountId,
        now,
        signIn.expiresAt,
        signIn.authTime,
        signIn.acr ?? null,
        signIn.amr ?? null,
        signIn.remember,
        signIn.ip ?? null,
        signIn.userAgent?.slice(0, 500) ?? null,
        JSON.stringify(changes.set),
        changes.removed,
      ],
      'session-sign-in',
    );

  return {
    standing,

    /**
     * A new session, or a stronger sign-in on one that lives.
     * @throws AccessDenied when the account may hold no session, or the session has ended
     */
    async signIn(signIn: SignIn, changes: Changes, now: Date): Promise<void> {
      await db.transact(async () => {
        // Sent together and done in this order. The first locks the account against being stopped until we commit: no
        // session is born after a stop.
        const [may, [row]] = await allOf([mayHold(signIn.accountId), write(signIn, changes, now)]);
        if (!may) throw new errors.AccessDenied('the account may hold no session');
        if (!row) throw sessionEnded();
        if (!row.is_new && isChange(changes)) stops?.mark(`session:${signIn.uid}`);
      });
    },

    /**
     * Notes that the session is in use, and merges what this request changed: of parallel requests none is lost.
     * @throws AccessDenied when the session has ended
     */
    async update(uid: string, expiresAt: Date, changes: Changes, now: Date): Promise<void> {
      const write = async () => {
        const [row] = await db.query<{ before: Authorizations }>(
          `update session s set seen_at = $2, expires_at = $3,
             authorizations = (s.authorizations - $4::text[]) || $5::jsonb
           from (select uid, authorizations from session where uid = $1 and ended_at is null for update) b
           where s.uid = b.uid returning b.authorizations as before`,
          [uid, now, expiresAt, changes.removed, JSON.stringify(changes.set)],
        );
        if (!row) throw sessionEnded();
        return row.before;
      };
      if (!stops || !isChange(changes)) return void (await write());
      await db.transact(async () => {
        if (takesAway(changes, await write())) stops.mark(`session:${uid}`);
      });
    },

    /**
     * Gives an application its part in a living session, unless it has one whose grant lives: of several sign-ins of
     * one application at once, all get the same.
     * @returns the part it has now, or undefined when the session does not live
     */
    async authorize(uid: string, clientId: string, wanted: Authorization): Promise<Authorization | undefined> {
      const [row] = await db.query<{ authorization: Authorization }>(
        `update session s set authorizations = case when exists (
             select 1 from authorization_grant g where g.id = s.authorizations -> $2 ->> 'grantId' and g.ended_at is null)
           then s.authorizations else s.authorizations || jsonb_build_object($2::text, $3::jsonb) end
         where uid = $1 and ended_at is null returning authorizations -> $2 as authorization`,
        [uid, clientId, JSON.stringify(wanted)],
        'session-authorize',
      );
      return row?.authorization;
    },

    async touch(uid: string): Promise<void> {
      await db.query(`update session set seen_at = $2 where uid = $1 and ended_at is null`, [uid, clock.now()]);
    },

    /** The session, if it lives. */
    async find(uid: string): Promise<SessionRecord | undefined> {
      const [row] = await findRows([uid]);
      return row && record(row);
    },

    async listOf(accountId: string): Promise<SessionRecord[]> {
      const rows = await db.query<Row>(
        `select ${columns} from session where account_id = $1 and ended_at is null and expires_at > $2 order by seen_at desc`,
        [accountId, clock.now()],
      );
      return rows.map(record);
    },

    /**
     * Ends the living sessions that `where` names, in the caller's transaction. @param name of what is remembered of them
     * @returns them as they were
     */
    async end(where: string, params: unknown[], reason: string, name: string): Promise<SessionRecord[]> {
      const rows = await db.query<Row>(
        `update session set ended_at = $1, ended_reason = $2 where ended_at is null and ${where} returning ${columns}`,
        [clock.now(), reason, ...params],
      );
      if (rows.length > 0) stops?.mark(name);
      return rows.map(record);
    },

    /** Takes one application out of all living sessions. */
    async forgetClient(clientId: string): Promise<void> {
      await db.query(
        `update session set authorizations = authorizations - $1::text where ended_at is null and authorizations ? $1`,
        [clientId],
      );
    },
  };
}

const record = (row: Row): SessionRecord => ({
  uid: row.uid,
  accountId: row.account_id,
  createdAt: new Date(row.created_at),
  seenAt: new Date(row.seen_at),
  expiresAt: new Date(row.expires_at),
  authTime: new Date(row.auth_time),
  acr: row.acr ?? undefined,
  amr: row.amr ?? undefined,
  remember: row.remember,
  ip: row.ip ?? undefined,
  userAgent: row.user_agent ?? undefined,
  authorizations: row.authorizations,
});

export const applicationsOf = (session: SessionRecord): Ended[] =>
  Object.entries(session.authorizations).flatMap(([clientId, { sid }]) =>
    sid ? [{ accountId: session.accountId, sessionUid: session.uid, clientId, sid }] : [],
  );
