import type { Events } from '../../events/index.ts';
import type { Db } from '../../platform/db/index.ts';
import { type Clock, newId, Refusal, randomToken, secondsAfter, sha256 } from '../../platform/index.ts';
import type { Users } from '../../users/index.ts';
import type { By } from '../by.ts';
import type { Links } from '../links.ts';
import type { Notices } from '../notices.ts';
import type { SecondFactors } from './second-factors.ts';

/** A way out that an administrator has opened, without the link itself. */
export interface RecoveryLink {
  id: string;
  issuedAt: Date;
  /** Before that it does nothing. */
  worksFrom: Date;
  expiresAt: Date;
}

/**
 * For somebody who has lost every second factor: an administrator hands out a link, and after a waiting period in which the
 * owner is told twice it takes the second factors away. It signs nobody in: the password is still asked for, and a new
 * factor is made before anything else.
 *
 * ```
 *  issue ──notice──▶ waiting ──notice──▶ works ── use (POST) ──▶ used: factors, sessions, devices gone
 *                       │                   ├── time ──▶ expired
 *                       └── "this was not me", withdraw, another one ──▶ cancelled
 * ```
 */
export interface RecoveryLinks {
  /**
   * In place of one that is open. The link is in this answer and nowhere else.
   * @throws Refusal `user.unknown` (missing), `recovery.no_address` (conflict): nobody could be told
   */
  issue(input: { userId: string; by: By }): Promise<RecoveryLink & { link: string }>;
  listOf(userId: string): Promise<RecoveryLink[]>;
  /** @returns whether there was one */
  cancel(userId: string, by: By): Promise<boolean>;
  /** What a GET of the link shows; changes nothing. @throws Refusal `recovery.link_refused` (invalid) */
  peek(link: string): Promise<{ worksFrom: Date; expiresAt: Date; waiting: boolean }>;
  /** By a POST. @throws Refusal `recovery.link_refused` (invalid), `recovery.too_early` (conflict) */
  use(input: { link: string; ip: string; locale: string }): Promise<void>;
  /** Tells owners that theirs is about to work: for a job, each minute or so. */
  remind(): Promise<void>;
  tidy(): Promise<void>;
}

interface Row {
  id: string;
  account_id: string;
  issued_at: string;
  works_from: string;
  expires_at: string;
}

const shown = (row: Row): RecoveryLink => ({
  id: row.id,
  issuedAt: new Date(row.issued_at),
  worksFrom: new Date(row.works_from),
  expiresAt: new Date(row.expires_at),
});

/** @param deps.wait seconds from the issue until it works @param deps.life seconds for which it then does */
export function createRecoveryLinks(deps: {
  db: Db;
  clock: Clock;
  events: Pick<Events, 'record'>;
  users: Pick<Users, 'byId'>;
  notices: Pick<Notices, 'tell'>;
  secondFactors: Pick<SecondFactors, 'reset'>;
  links: Links;
  wait: number;
  life: number;
}): RecoveryLinks {
  const { db, clock, events, users, notices, secondFactors, links, wait, life } = deps;
  const columns = 'id, account_id, issued_at, works_from, expires_at';
  const open = 'used_at is null and cancelled_at is null and expires_at > ';
  const refused = () => new Refusal('recovery.link_refused', { kind: 'invalid' });
  const fromHere = (by: By) => ({ ip: by.ip ?? 'localhost', userAgent: by.reason, locale: 'en' });

  const withdraw = async (userId: string) =>
    (
      await db.query(`update recovery_link set cancelled_at = $2 where account_id = $1 and ${open} $2 returning 1`, [
        userId,
        clock.now(),
      ])
    ).length > 0;

  return {
    issue: ({ userId, by }) =>
      db.transact(async () => {
        const user = await users.byId(userId);
        if (!user || user.isStopped()) throw new Refusal('user.unknown', { kind: 'missing' });
        if (!user.email) throw new Refusal('recovery.no_address', { kind: 'conflict' });
        await db.lock(`recovery-link:${userId}`);
        await withdraw(userId);
        const token = randomToken();
        const now = clock.now();
        const worksFrom = secondsAfter(now, wait);
        const expiresAt = secondsAfter(worksFrom, life);
        const id = newId();
        await db.query(
          `insert into recovery_link (id, account_id, link_hash, issued_by, issued_at, works_from, expires_at)
           values ($1, $2, $3, $4, $5, $6, $7)`,
          [id, userId, sha256(token), by.actor.id ?? by.actor.kind, now, worksFrom, expiresAt],
        );
        const data = { worksFrom: worksFrom.toISOString() };
        await events.record({ type: 'credential.recovery_link_issued', ...by, subject: userId, data });
        await notices.tell(user, 'recovery-link-issued', fromHere(by));
        return { id, issuedAt: now, worksFrom, expiresAt, link: links.recovery(token) };
      }),

    async listOf(userId) {
      const rows = await db.query<Row>(`select ${columns} from recovery_link where account_id = $1 and ${open} $2`, [
        userId,
        clock.now(),
      ]);
      return rows.map(shown);
    },

    cancel: (userId, by) =>
      db.transact(async () => {
        const there = await withdraw(userId);
        if (there) await events.record({ type: 'credential.recovery_link_cancelled', ...by, subject: userId });
        return there;
      }),

    async peek(link) {
      const [row] = await db.query<Row>(`select ${columns} from recovery_link where link_hash = $1 and ${open} $2`, [
        sha256(link),
        clock.now(),
      ]);
      if (!row) throw refused();
      const { worksFrom, expiresAt } = shown(row);
      return { worksFrom, expiresAt, waiting: worksFrom > clock.now() };
    },

    use: ({ link, ip }) =>
      db.transact(async () => {
        const now = clock.now();
        const [row] = await db.query<Row>(
          `update recovery_link set used_at = $2 where link_hash = $1 and ${open} $2 returning ${columns}`,
          [sha256(link), now],
        );
        if (!row) throw refused();
        // The refusal rolls the use back with it.
        if (new Date(row.works_from) > now) throw new Refusal('recovery.too_early', { kind: 'conflict' });
        const user = await users.byId(row.account_id);
        if (!user || user.isStopped()) throw refused();
        const by = { actor: { kind: 'anonymous' as const }, ip, reason: 'recovery link' };
        await secondFactors.reset(user, by, { passkeys: true });
        await db.query(
          `insert into must_enrol (account_id, since) values ($1, $2) on conflict (account_id) do update set since = $2`,
          [user.id, now],
        );
        await events.record({ type: 'credential.recovery_link_used', ...by, subject: user.id });
        await notices.tell(user, 'recovery-link-used', fromHere(by));
      }),

    async remind() {
      const now = clock.now();
      const due = await db.query<Row>(
        `update recovery_link set reminded_at = $1 where id in (
           select id from recovery_link where ${open} $1 and reminded_at is null and works_from <= $2
             order by works_from limit 100 for update skip locked) returning ${columns}`,
        // Half the waiting time before, so that there is time to read it.
        [now, secondsAfter(now, wait / 2)],
      );
      for (const { account_id: userId } of due) {
        const user = await users.byId(userId);
        if (user) await notices.tell(user, 'recovery-link-works', { ip: '–', locale: 'en' });
      }
    },

    async tidy() {
      await db.query('delete from recovery_link where expires_at <= $1', [secondsAfter(clock.now(), -90 * 86_400)]);
    },
  };
}
