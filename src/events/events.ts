import type { Db } from '../platform/db/index.ts';
import type { Bus, Clock, Log, Vault } from '../platform/index.ts';
import { type Audit, type AuditFilter, type AuditRecord, createAudit, type Verification } from './audit.ts';
import type { Event, EventType } from './catalogue.ts';
import { createOutbox, type Outbox } from './outbox.ts';

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
  /** The same of many at once, in few statements: for what is done to people by the thousand. */
  recordAll(events: readonly Event[]): Promise<void>;
  /** The journal, newest first, a page at a time. */
  history(filter?: AuditFilter): Promise<AuditRecord[]>;
  /** Takes new rows of the journal into its chain: for a job. @returns how many; call again while it is not 0 */
  chain(): Promise<number>;
  /** Reads the whole chained journal and tells whether anything in it was altered. */
  verify(): Promise<Verification>;
}

/**
 * @param deps.subscribers who is told of events beside the journal
 * @param deps.recorded called in this process, once an event is committed: for counting, nothing waits for it
 */
export function createEvents(deps: {
  db: Db;
  clock: Clock;
  log: Log;
  vault: Vault;
  bus: Pick<Bus, 'publish'>;
  subscribers?: readonly Subscriber[];
  recorded?: ((event: Event) => void) | undefined;
}): Events {
  const { db, clock, subscribers = [], recorded } = deps;
  const audit: Audit = createAudit(deps);
  const outbox = createOutbox(deps);

  return {
    ...outbox,
    record: (event) =>
      db.transact(async () => {
        const id = await audit.write(event as Event);
        const told = { ...event, id, at: clock.now().toISOString() } as ToldEvent;
        for (const { topic, wants, key } of subscribers) {
          if (wants(told)) await outbox.enqueue(topic, told, { key: key ? key(told) : told.subject });
        }
        if (recorded) db.afterCommit(() => recorded(event as Event));
        return id;
      }),
    recordAll: (all) =>
      db.transact(async () => {
        if (all.length === 0) return;
        const ids = await audit.writeAll(all);
        const at = clock.now().toISOString();
        const told = all.map((event, index) => ({ ...event, id: ids[index]!, at }) as ToldEvent);
        for (const { topic, wants, key } of subscribers) {
          const wanted = told.filter(wants);
          const keyed = wanted.filter((event) => (key ? key(event) : event.subject) !== undefined);
          for (const event of keyed) await outbox.enqueue(topic, event, { key: key ? key(event) : event.subject });
          await outbox.enqueueAll(
            topic,
            wanted.filter((event) => !keyed.includes(event)),
          );
        }
        if (recorded) db.afterCommit(() => all.forEach(recorded));
      }),
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
