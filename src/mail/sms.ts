import { type ConsumerOptions, type Events, Undeliverable } from '../events/index.ts';
import type { Clock } from '../platform/index.ts';
import type { Transport } from './transport.ts';

/** A text message as it leaves. */
export interface TextMessage {
  /** The same at every try. */
  id: string;
  /** As +442079460018 (E.164). */
  to: string;
  text: string;
  date: Date;
}

/** The way text messages leave. Throwing means "try again"; `Undeliverable` that it makes no sense. */
export interface SmsTransport {
  send(message: TextMessage, signal: AbortSignal): Promise<void>;
}

export interface Sms {
  /**
   * Sends the text once the open transaction has committed, and not later than `until`: what a code says is worth nothing
   * once it has expired.
   */
  send(message: { to: string; text: string; until: Date }): Promise<void>;
  /** To be run by the relay under {@link smsTopic}. */
  readonly consumer: ConsumerOptions;
}

export const smsTopic = 'sms';

interface Payload {
  to: string;
  text: string;
  until: string;
}

/** Through the outbox, as letters are: sealed there, as it carries a code. */
export function createSms(deps: {
  clock: Clock;
  events: Pick<Events, 'enqueue' | 'record'>;
  transport: SmsTransport;
}): Sms {
  const { clock, events, transport } = deps;
  return {
    async send({ to, text, until }) {
      await events.enqueue(smsTopic, { to, text, until: until.toISOString() } satisfies Payload, { secret: true });
    },
    consumer: {
      timeoutSeconds: 30,
      concurrency: 5,
      attempts: 6,
      async consume({ to, text, until }: Payload, { id, createdAt, signal }) {
        const lost = async (why: string, cause?: unknown): Promise<never> => {
          await events.record({ type: 'sms.undeliverable', actor: { kind: 'system' }, data: { why } });
          throw new Undeliverable(why, { cause });
        };
        if (new Date(until) <= clock.now()) await lost('expired');
        try {
          await transport.send({ id, to, text, date: createdAt }, signal);
        } catch (error) {
          if (error instanceof Undeliverable) await lost(error.message, error);
          throw error;
        }
      },
    },
  };
}

/** Development's way: the message lies in the mailbox, under the number it went to. */
export const createMailboxSms = (mailbox: Pick<Transport, 'send'>): SmsTransport => ({
  send: ({ id, to, text, date }, signal) =>
    mailbox.send(
      {
        ...{ id, to, text, date },
        letter: 'sms' as never,
        locale: 'en',
        from: 'SMS',
        subject: `SMS: ${text.split('\n')[0]}`,
        html: `<pre style="font:16px/1.5 system-ui;white-space:pre-wrap">${text.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`)}</pre>`,
      },
      signal,
    ),
});
