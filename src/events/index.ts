/**
 * What happened: the catalogue of events, the audit journal that keeps them, the outbox that tells of them, and the
 * relay that delivers it. Written inside the transaction that does the thing, told after it. What a message means to
 * whoever receives it (a letter, a logout token) is the consumer's business.
 */
export type { AuditFilter, AuditRecord, Verification } from './audit.ts';
export type { Actor, Catalogue, Event, EventType } from './catalogue.ts';
export { createEventLog } from './event-log.ts';
export { createEvents, type Events, type Subscriber, type ToldEvent } from './events.ts';
export type { Backlog, EnqueueOptions, Outbox, ParkedMessage } from './outbox.ts';
export { asToldToOwner } from './own-history.ts';
export { type Consume, type ConsumerOptions, createRelay, type Delivery, type Relay, Undeliverable } from './relay.ts';
