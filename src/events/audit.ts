import { createHmac } from 'node:crypto';
import type { Db } from '../platform/db/index.ts';
import { type Log, newId, randomToken, type Vault } from '../platform/index.ts';
import type { Actor, Event, EventType } from './catalogue.ts';

/** An event as the journal keeps it. */
export interface AuditRecord {
  /** UUIDv7: sorts by time. */
  id: string;
  type: EventType;
  at: Date;
  actor: Actor;
  subject: string | undefined;
  client: string | undefined;
  ip: string | undefined;
  userAgent: string | undefined;
  reason: string | undefined;
  data: unknown;
}

export interface AuditFilter {
  subject?: string;
  actorId?: string;
  client?: string;
  type?: EventType | readonly EventType[];
  /** Only what is older than the event with this id: the next page. */
  before?: string;
  limit?: number;
  /** For showing alone: what happened in the last seconds may be missing. */
  mayLag?: boolean;
}

/** What became of the journal: intact up to `position`, or first found altered at it. */
export interface Verification {
  intact: boolean;
  position: number;
  /** Rows not taken into the chain yet. */
  open: number;
}

type Row = Record<string, never>;

export interface Audit {
  history(filter?: AuditFilter): Promise<AuditRecord[]>;
  chain(): Promise<number>;
  verify(): Promise<Verification>;
  reseal(): Promise<void>;
}

const keyContext = 'audit:chain';
const batch = 500;

/**
 * The statement that writes events down, for {@link rowsOf} them.
 * @param rows the parameter with them @param at the parameter with the time
 */
export const insertEvents = (rows: string, at: string): string =>
  `insert into audit_event (id, type, at, actor_kind, actor_id, subject, client, ip, user_agent, reason, data)
   select id, type, ${at}::timestamptz, actor_kind, actor_id, subject, client, ip, user_agent, reason, data
   from jsonb_to_recordset(${rows}::jsonb) as r (id uuid, type text, actor_kind text, actor_id text, subject uuid,
     client text, ip text, user_agent text, reason text, data jsonb)`;

/** @returns the events' new ids in their order, and their rows as one text */
export function rowsOf(events: readonly Event[]): { ids: string[]; rows: string } {
  const ids = events.map(() => newId());
  const rows = events.map((event, index) => ({
    id: ids[index],
    type: event.type,
    actor_kind: event.actor.kind,
    actor_id: storable(event.actor.id),
    subject: event.subject ?? null,
    client: storable(event.client),
    ip: storable(event.ip),
    user_agent: storable(event.userAgent, 512),
    reason: storable(event.reason, 1_000),
    data: event.data ?? null,
  }));
  return {
    ids,
    rows: JSON.stringify(rows, (_, value) => (typeof value === 'string' ? storable(value, 2_000) : value)),
  };
}

/** What a row's digest covers. PostgreSQL spells it, when chaining and when verifying, so that both are one text. */
const spelled = `jsonb_build_array(id, type, extract(epoch from at), actor_kind, actor_id, subject, client, ip, user_agent,
  reason, data)::text as spelled`;

/**
 * The journal. Writers only insert and wait for nobody. A job then takes the rows, in batches, into a chain of keyed
 * digests (HMAC-SHA-256 over the last digest, the position and the row): altering, removing or slipping in a chained row
 * breaks it, and without CARDEA_SECRET, which seals the chain's key, it cannot be forged anew. The last rows cut off
 * together with the chain's head would go unseen, so every batch's head is also written to the log, which leaves the machine.
 */
export function createAudit(deps: { db: Db; log: Log; vault: Vault }): Audit {
  const { db, log, vault } = deps;

  /** Locks the chain's head; makes the chain at its first use. */
  const head = async () => {
    await db.query(`insert into audit_chain (key, position, digest) values ($1, 0, '') on conflict (sole) do nothing`, [
      vault.seal(randomToken(), keyContext),
    ]);
    const [row] = await db.query<{ key: string; position: string; digest: string }>(
      'select key, position, digest from audit_chain for update',
    );
    return { key: vault.open(row!.key, keyContext), position: Number(row!.position), digest: row!.digest };
  };

  return {
    async history({ type, limit = 50, mayLag = false, ...about } = {}) {
      const kind = typeof type === 'string' ? { type } : { types: type };
      const { text, params, name } = question({ ...about, ...kind }, limit);
      const rows = mayLag ? await db.late<Row>(text, params) : await db.query<Row>(text, params, name);
      return rows.map(toRecord);
    },

    chain: () =>
      db.transact(async () => {
        const open = `from audit_event where position is null`;
        if ((await db.query(`select 1 ${open} limit 1`)).length === 0) return 0;
        const { key, ...last } = await head();
        const rows = await db.query<{ id: string; spelled: string }>(
          `select id, ${spelled} ${open} order by id limit ${batch}`,
        );
        const links = rows.map((row) => {
          last.position += 1;
          last.digest = link(key, last, row.spelled);
          return { id: row.id, ...last };
        });
        await db.query(
          `update audit_event e set position = l.position, digest = l.digest
             from unnest($1::uuid[], $2::bigint[], $3::text[]) as l (id, position, digest) where e.id = l.id`,
          [links.map((l) => l.id), links.map((l) => l.position), links.map((l) => l.digest)],
        );
        await db.query('update audit_chain set position = $1, digest = $2', [last.position, last.digest]);
        log.info({ position: last.position, digest: last.digest }, 'the audit journal was chained');
        return rows.length;
      }),

    verify: () =>
      db.transact(async () => {
        const { key, ...end } = await head();
        const [count] = await db.query<{ open: number }>(
          'select count(*)::int as open from audit_event where position is null',
        );
        const open = count!.open;
        const at = { position: 0, digest: '' };
        for (;;) {
          const rows = await db.query<{ position: string; digest: string; spelled: string }>(
            `select position, digest, ${spelled} from audit_event where position > $1 order by position limit ${batch}`,
            [at.position],
          );
          for (const row of rows) {
            at.position += 1;
            at.digest = link(key, at, row.spelled);
            if (Number(row.position) !== at.position || row.digest !== at.digest) {
              return { intact: false, position: at.position, open };
            }
          }
          if (rows.length < batch) break;
        }
        return { intact: at.position === end.position && at.digest === end.digest, position: at.position, open };
      }),

    reseal: () =>
      db.transact(async () => {
        const { key } = await head();
        await db.query('update audit_chain set key = $1', [vault.seal(key, keyContext)]);
      }),
  };
}

/** The conditions of a filter, by its names. */
const conditions = {
  subject: (param: string) => `subject = ${param}::uuid`,
  actorId: (param: string) => `actor_id = ${param}`,
  client: (param: string) => `client = ${param}`,
  type: (param: string) => `type = ${param}`,
  types: (param: string) => `type = any(${param}::text[])`,
  before: (param: string) => `id < ${param}::uuid`,
};

/**
 * A statement for each kind of filter, so that each is planned for what it asks: events of one type come from its index in
 * their order, of several they would not.
 */
function question(filter: Partial<Record<keyof typeof conditions, unknown>>, limit: number) {
  const asked = (Object.keys(conditions) as (keyof typeof conditions)[]).filter((name) => filter[name] !== undefined);
  const where = asked.map((name, index) => conditions[name](`$${index + 2}`));
  const text = `select ${columns} from audit_event ${where.length > 0 ? `where ${where.join(' and ')}` : ''}
    order by id desc limit $1`;
  return {
    text,
    params: [limit, ...asked.map((name) => filter[name])],
    name: ['audit-history', ...asked].join('-'),
  };
}

const columns = 'id, type, at, actor_kind, actor_id, subject, client, ip, user_agent, reason, data';

const link = (key: string, last: { position: number; digest: string }, row: string): string =>
  createHmac('sha256', key).update(`${last.digest}\n${last.position}\n${row}`).digest('base64url');

/** PostgreSQL keeps neither NUL nor half a surrogate pair; what comes from a header or a form may hold both. */
const storable = (text: string | undefined, most = 500): string | null =>
  text === undefined ? null : text.slice(0, most).toWellFormed().replaceAll('\0', '');

const toRecord = (row: Row): AuditRecord => ({
  id: row.id!,
  type: row.type!,
  at: new Date(row.at!),
  actor: { kind: row.actor_kind!, id: row.actor_id ?? undefined },
  subject: row.subject ?? undefined,
  client: row.client ?? undefined,
  ip: row.ip ?? undefined,
  userAgent: row.user_agent ?? undefined,
  reason: row.reason ?? undefined,
  data: row.data ?? undefined,
});
