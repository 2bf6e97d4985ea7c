import type { Db } from '../platform/db/index.ts';
import { type Bus, type Clock, newId, type Vault } from '../platform/index.ts';

/** The topic on the bus that wakes the relays; its message is the outbox's topic. */
export const outboxWake = 'outbox';

/** What a sealed payload is bound to, so that it opens in its own row only. */
export const payloadContext = (topic: string, message: string) => `outbox:${topic}:${message}`;

export interface EnqueueOptions {
  /**
   * Messages of one topic and key are delivered in the order in which their transactions committed. For that, writers
   * of one key wait for one another until they commit, and a message that fails holds up those behind it: use it where
   * the order matters, and one key per transaction, else two transactions may wait for each other.
   */
  key?: string | undefined;
  /** Not delivered earlier than this. */
  notBefore?: Date | undefined;
  /** The payload carries a secret (a link, a code): stored sealed, erased on delivery. */
  secret?: boolean;
}

/** A message given up on, without what it carries. */
export interface ParkedMessage {
  id: string;
  topic: string;
  key: string | undefined;
  createdAt: Date;
  parkedAt: Date;
  attempts: number;
  /** Why the last try failed; holds no address and no secret. */
  failure: string;
}

/** How much one topic has waiting. */
export interface Backlog {
  topic: string;
  waiting: number;
  parked: number;
  oldest: Date | undefined;
}

export interface Outbox {
  /**
   * Leaves a message to be delivered after the open transaction commits, at least once; after a rollback never.
   * @param payload anything JSON can say
   * @returns the message's id, the same at every try, by which a receiver can tell a repetition
   */
  enqueue(topic: string, payload: unknown, options?: EnqueueOptions): Promise<string>;
  /** What was given up on, newest first. */
  parked(options?: { topic?: string; limit?: number }): Promise<ParkedMessage[]>;
  /** Lets a parked message be tried again at once. @returns whether there was one */
  revive(id: string): Promise<boolean>;
  backlog(): Promise<Backlog[]>;
  /** Drops what has been parked for `days`: for the periodic clean-up. @returns how many */
  tidy(days?: number): Promise<number>;
  /** Seals anew what waits under an older secret. @returns how many */
  reseal(): Promise<number>;
}

interface Waking {
  /** Has the relays look for messages of these topics. */
  wake(topics: readonly string[]): void;
}

/** The statement that leaves messages without a key and without a secret. Each is given the parameter that has all of it. */
export const insertMessages = (given: { messages: string; topics: string; payloads: string; at: string }): string =>
  `insert into outbox (message, topic, payload, sealed, created_at, due_at)
   select message, topic, payload, false, ${given.at}::timestamptz, ${given.at}::timestamptz
   from unnest(${given.messages}::uuid[], ${given.topics}::text[], ${given.payloads}::text[]) as r (message, topic, payload)`;

/** Milliseconds within which all that was left is told to the relays at once. */
const gathering = 10;

export function createOutbox(deps: {
  db: Db;
  clock: Clock;
  vault: Vault;
  bus: Pick<Bus, 'publish' | 'offer'>;
}): Outbox & Waking {
  const { db, clock, vault, bus } = deps;
  const due = new Set<string>();

  const tell = () => {
    const topics = [...due];
    due.clear();
    // Those of other processes where there is none here that is free; they look for themselves every few seconds.
    for (const topic of topics) if (!bus.offer(outboxWake, topic)) bus.publish(outboxWake, topic).catch(() => {});
  };

  /**
   * Once the open transaction has committed, and not by a NOTIFY of its own: PostgreSQL has such commits wait in line for
   * one another, each until the one before is on the disk.
   */
  const wake = (topics: readonly string[]): void => {
    if (topics.length === 0) return;
    db.afterCommit(() => {
      if (due.size === 0) setTimeout(tell, gathering).unref();
      for (const topic of topics) due.add(topic);
    });
  };

  return {
    wake,

    enqueue: (topic, payload, { key, notBefore, secret = false } = {}) =>
      db.transact(async () => {
        const message = newId();
        const now = clock.now();
        const text = JSON.stringify(payload);
        // Ids are drawn at insertion, not at commit. Writers of one key wait for one another, so that both orders agree.
        if (key !== undefined) await db.lock(`outbox:${topic}:${key}`);
        await db.query(
          `insert into outbox (message, topic, key, payload, sealed, created_at, due_at)
           values ($1, $2, $3, $4, $5, $6, $7)`,
          [
            message,
            topic,
            key ?? null,
            secret ? vault.seal(text, payloadContext(topic, message)) : text,
            secret,
            now,
            notBefore ?? now,
          ],
          'outbox-enqueue',
        );
        wake([topic]);
        return message;
      }),

    async parked({ topic, limit = 100 } = {}) {
      const rows = await db.query<Record<string, never>>(
        `select message, topic, key, created_at, parked_at, attempts, failure from outbox
          where parked_at is not null and ($1::text is null or topic = $1) order by parked_at desc limit $2`,
        [topic ?? null, limit],
      );
      return rows.map((row) => ({
        id: row.message!,
        topic: row.topic!,
        key: row.key ?? undefined,
        createdAt: new Date(row.created_at!),
        parkedAt: new Date(row.parked_at!),
        attempts: row.attempts!,
        failure: row.failure ?? '',
      }));
    },

    async revive(id) {
      // A fresh created_at: the time after which it is given up starts over.
      const [row] = await db.query<{ topic: string }>(
        `update outbox set parked_at = null, attempts = 0, created_at = $2, due_at = $2
          where message = $1 and parked_at is not null returning topic`,
        [id, clock.now()],
      );
      if (row) wake([row.topic]);
      return row !== undefined;
    },

    async backlog() {
      const rows = await db.query<{ topic: string; waiting: number; parked: number; oldest: string | null }>(
        `select topic, count(*) filter (where parked_at is null)::int as waiting,
                count(*) filter (where parked_at is not null)::int as parked,
                min(created_at) filter (where parked_at is null) as oldest
           from outbox group by topic order by topic`,
      );
      return rows.map((row) => ({ ...row, oldest: row.oldest === null ? undefined : new Date(row.oldest) }));
    },

    async tidy(days = 30) {
      const before = new Date(clock.now().getTime() - days * 86_400_000);
      return (await db.query('delete from outbox where parked_at < $1 returning id', [before])).length;
    },

    reseal: () =>
      db.transact(async () => {
        const rows = await db.query<{ id: string; topic: string; message: string; payload: string }>(
          'select id, topic, message, payload from outbox where sealed for update',
        );
        const outdated = rows.filter(({ payload }) => !vault.isCurrent(payload));
        for (const { id, topic, message, payload } of outdated) {
          const context = payloadContext(topic, message);
          const sealed = vault.seal(vault.open(payload, context), context);
          await db.query('update outbox set payload = $2 where id = $1', [id, sealed]);
        }
        return outdated.length;
      }),
  };
}
