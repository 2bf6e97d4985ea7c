import type { Log } from '../platform/index.ts';
import type { Subscriber, ToldEvent } from './events.ts';
import type { Consume } from './relay.ts';

/**
 * Every event as a line of the log, for whoever gathers logs: told through the outbox, so that there is no line of what
 * was rolled back and none is missing of what was not. Says who and what by id; addresses, browsers and free words
 * stay in the journal.
 */
export function createEventLog({ log }: { log: Log }): { subscriber: Subscriber; consume: Consume<ToldEvent> } {
  return {
    // No key: a line bears its event's id and time, and writers need not wait for one another.
    subscriber: { topic: 'event-log', wants: () => true, key: () => undefined },
    async consume({ id, type, at, actor, subject, client, data }) {
      log.info({ event: { id, type, at, actor, subject, client, data } }, type);
    },
  };
}
