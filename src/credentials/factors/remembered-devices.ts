import type { Db } from '../../platform/db/index.ts';
import { type Clock, isId, newId, randomToken, secondsAfter, sha256 } from '../../platform/index.ts';

/** A browser in which the second factor need not be proved for a while. */
export interface RememberedDevice {
  id: string;
  userAgent: string | undefined;
  ip: string | undefined;
  createdAt: Date;
  usedAt: Date;
  expiresAt: Date;
}

/**
 * Browsers in which a person has proved the second factor and asked not to be asked again. The browser holds a random
 * token, the table its hash; it spares that person the second factor and nothing else, and ends with the password.
 */
export interface RememberedDevices {
  /** @param cookie what the browser holds already: others who use it stay remembered. @returns the cookie's new value */
  remember(userId: string, browser: { cookie?: string | undefined; userAgent: string; ip: string }): Promise<string>;
  isRemembered(userId: string, cookie: string | undefined): Promise<boolean>;
  listOf(userId: string): Promise<RememberedDevice[]>;
  /** @returns whether it was this person's */
  forget(userId: string, id: string): Promise<boolean>;
  forgetAll(userId: string): Promise<void>;
  /** Deletes what has expired. */
  tidy(): Promise<void>;
  /** Seconds for which a device is remembered. */
  readonly seconds: number;
}

/** Of the browser's cookie. */
export const rememberedCookieName = (issuer: string): string =>
  issuer.startsWith('https:') ? '__Host-remembered' : 'remembered';

/** People sharing one browser who are remembered in it. */
const most = 5;
const tokensOf = (cookie = ''): string[] =>
  cookie
    .slice(0, 500)
    .split('~')
    .filter((token) => /^[\w-]{43}$/.test(token))
    .slice(0, most);

interface Row {
  id: string;
  user_agent: string | null;
  ip: string | null;
  created_at: string;
  used_at: string;
  expires_at: string;
}

export function createRememberedDevices(deps: { db: Db; clock: Clock; seconds: number }): RememberedDevices {
  const { db, clock, seconds } = deps;
  return {
    seconds,

    async remember(userId, { cookie, userAgent, ip }) {
      const known = tokensOf(cookie);
      const now = clock.now();
      const mine = await db.query<{ hash: string }>(
        'delete from remembered_device where user_id = $1 and hash = any($2::text[]) returning hash',
        [userId, known.map(sha256)],
      );
      const others = known.filter((token) => !mine.some(({ hash }) => hash === sha256(token)));
      const token = randomToken();
      await db.query(
        `insert into remembered_device (id, user_id, hash, user_agent, ip, created_at, used_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $6, $7)`,
        [newId(), userId, sha256(token), userAgent.slice(0, 500), ip, now, secondsAfter(now, seconds)],
      );
      return [token, ...others].slice(0, most).join('~');
    },

    async isRemembered(userId, cookie) {
      const tokens = tokensOf(cookie);
      if (tokens.length === 0) return false;
      const rows = await db.query(
        `update remembered_device set used_at = $3
           where user_id = $1 and hash = any($2::text[]) and expires_at > $3 returning 1`,
        [userId, tokens.map(sha256), clock.now()],
      );
      return rows.length > 0;
    },

    async listOf(userId) {
      const rows = await db.query<Row>(
        `select id, user_agent, ip, created_at, used_at, expires_at from remembered_device
           where user_id = $1 and expires_at > $2 order by used_at desc`,
        [userId, clock.now()],
      );
      return rows.map((row) => ({
        id: row.id,
        userAgent: row.user_agent ?? undefined,
        ip: row.ip ?? undefined,
        createdAt: new Date(row.created_at),
        usedAt: new Date(row.used_at),
        expiresAt: new Date(row.expires_at),
      }));
    },

    forget: async (userId, id) =>
      isId(id) &&
      (await db.query('delete from remembered_device where user_id = $1 and id = $2 returning 1', [userId, id]))
        .length === 1,

    async forgetAll(userId) {
      await db.query('delete from remembered_device where user_id = $1', [userId]);
    },

    async tidy() {
      await db.query('delete from remembered_device where expires_at <= $1', [clock.now()]);
    },
  };
}
