import type { Db } from '../platform/db/index.ts';
import { type Bus, type Clock, type Log, newId, type Vault } from '../platform/index.ts';
import {
  type Audit,
  type AuditFilter,
  type AuditRecord,
  createAudit,
  insertEvents,
  rowsOf,
  type Verification,
} from './audit.ts';
import type { Event, EventType } from './catalogue.ts';
import { createOutbox, insertMessages, type Outbox } from './outbox.ts';

/** Someone who wants to be told of events, through a topic of the outbox. */
export interface Subscriber {
  topic: string;
  wants(event: Event): boolean;
  /** Events of one key are told in order. Default: the subject's id. */
  key?(event: Event): string | undefined;
}

/** What a subscriber's consumer is handed. */
export type ToldEvent = Event & { id: string; at: string };

export interface Events extends Outbox {
  /**
   * Writes the event down: one row in the audit journal and one in the outbox for each subscriber that wants it. Call it
   * inside the transaction that does what happened; a rollback takes it back.
   * @returns the event's id
   */
  record<T extends EventType>(event: Event<T>): Promise<string>;
  /** The same of many at once: for what is done to people by the thousand. @returns their ids, in their order */
  recordAll(events: readonly Event[]): Promise<string[]>;
  /** The journal, newest first, a page at a time. */
  history(filter?: AuditFilter): Promise<AuditRecord[]>;
  /** Takes new rows of the journal into its chain: for a job. @returns how many; call again while it is not 0 */
  chain(): Promise<number>;
  /** Reads the whole chained journal and tells whether anything in it was altered. */
  verify(): Promise<Verification>;
}

/** Almost everything that changes is followed by it, so it is one statement. */
const journalAndTell = `with told as (${insertMessages({ messages: '$3', topics: '$4', payloads: '$5', at: '$2' })})
  ${insertEvents('$1', '$2')}`;

/**
 * @param deps.subscribers who is told of events beside the journal
 * @param deps.recorded called in this process, once an event is committed: for counting, nothing waits for it
 */
export function createEvents(deps: {
  db: Db;
  clock: Clock;
  log: Log;
  vault: Vault;
  bus: Pick<Bus, 'publish' | 'offer'>;
  subscribers?: readonly Subscriber[];
  recorded?: ((event: Event) => void) | undefined;
}): Events {
  const { db, clock, subscribers = [], recorded } = deps;
  const audit: Audit = createAudit(deps);
  const outbox = createOutbox(deps);

  const recordAll = async (all: readonly Event[]): Promise<string[]> => {
    if (all.length === 0) return [];
    const { ids, rows } = rowsOf(all);
    const now = clock.now();
    const at = now.toISOString();
    const told = all.map((event, index): ToldEvent => ({ ...event, id: ids[index]!, at }));
    const messages = subscribers.flatMap(({ topic, wants, key }) =>
      told.filter(wants).map((event) => ({ topic, event, key: key ? key(event) : event.subject })),
    );
    const free = messages.filter(({ key }) => key === undefined);
    const keyed = messages.filter(({ key }) => key !== undefined);
    const write = async () => {
      await db.query(
        journalAndTell,
        [
          ...[rows, now, free.map(() => newId()), free.map(({ topic }) => topic)],
          free.map(({ event }) => JSON.stringify(event)),
        ],
        'event-record',
      );
      outbox.wake(free.map(({ topic }) => topic));
      for (const { topic, event, key } of keyed) await outbox.enqueue(topic, event, { key });
      if (recorded) db.afterCommit(() => all.forEach(recorded));
    };
    // What is one statement needs no transaction of its own.
    await (keyed.length === 0 ? write() : db.transact(write));
    return ids;
  };

  return {
    ...outbox,
    record: async (event) => (await recordAll([event as Event]))[0]!,
    recordAll,
    history: audit.history,
    chain: audit.chain,
    verify: audit.verify,
    reseal: () =>
      db.transact(async () => {
        await audit.reseal();
        return outbox.reseal();
      }),
  };
}
