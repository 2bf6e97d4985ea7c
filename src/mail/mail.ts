import { type ConsumerOptions, type Events, Undeliverable } from '../events/index.ts';
import type { Db } from '../platform/db/index.ts';
import { type Clock, Refusal, type Vault } from '../platform/index.ts';
import { parseAddress } from './address.ts';
import { createBudget, type LetterBudget } from './budget.ts';
import { askedFor, type LetterName, type Letters } from './catalogue.ts';
import type { Transport } from './transport.ts';

export interface MailSettings {
  /** `Name <address>` or an address. */
  from: string;
  /** What one recipient may be sent, beside notices; `window` in seconds. */
  letters: LetterBudget;
}

/** What turns a letter's name and params into words and form. */
export interface LetterViews {
  renderLetter(
    letter: LetterName,
    params: Record<string, unknown>,
    locale: string,
    timeZone?: string,
  ): RenderedLetter | Promise<RenderedLetter>;
}

export interface RenderedLetter {
  subject: string;
  text: string;
  html: string;
}

/** To whom a letter goes and what fills it. */
export interface Posting<L extends LetterName> {
  to: string;
  locale: string;
  /** Of the dates in it, by its IANA name; UTC without one. */
  timeZone?: string | undefined;
  params: Letters[L];
}

export interface Mail {
  /**
   * Sends a letter once the open transaction has committed; after a rollback never. Nothing is composed and no server
   * is asked here, so the time it takes tells nothing.
   * @throws Refusal `mail.address_malformed` (invalid), `mail.too_many` (limited, with `retryAfter`); the transaction
   *   stays usable after both
   */
  send<L extends LetterName>(letter: L, posting: Posting<L>): Promise<void>;
  /** To be run by the relay under the topic {@link mailTopic}. */
  readonly consumer: ConsumerOptions;
  /** Periodic clean-up. */
  tidy(): Promise<void>;
  /** After the relay has stopped. */
  close(): Promise<void>;
}

export const mailTopic = 'mail';

interface Payload {
  letter: LetterName;
  to: string;
  locale: string;
  timeZone?: string | undefined;
  params: Record<string, unknown>;
}

export function createMail(deps: {
  db: Db;
  clock: Clock;
  vault: Vault;
  events: Pick<Events, 'enqueue' | 'record'>;
  views: LetterViews;
  transport: Transport;
  settings: MailSettings;
}): Mail {
  const { db, clock, vault, events, views, transport, settings } = deps;
  const budget = createBudget({ db, clock, vault, letters: settings.letters });

  return {
    async send(letter, { to, locale, timeZone, params }) {
      const address = parseAddress(to);
      if (address === undefined) throw new Refusal('mail.address_malformed', { kind: 'invalid' });
      const payload: Payload = { letter, to: address, locale, timeZone, params: taggedDates(params) };
      await db.transact(async () => {
        if (askedFor.has(letter)) await budget.take(address);
        await events.enqueue(mailTopic, payload, { secret: true });
      });
    },

    consumer: {
      timeoutSeconds: 60,
      concurrency: 5,
      async consume(payload: Payload, { id, createdAt, signal }) {
        const { letter, to, locale, timeZone, params } = payload;
        const rendered = await views.renderLetter(letter, withDates(params), locale, timeZone);
        try {
          await transport.send(
            {
              ...rendered,
              subject: oneLine(rendered.subject),
              id,
              letter,
              locale,
              from: settings.from,
              to,
              date: createdAt,
            },
            signal,
          );
        } catch (error) {
          if (error instanceof Undeliverable) {
            await events.record({ type: 'letter.undeliverable', actor: { kind: 'system' }, data: { letter } });
          }
          throw error;
        }
      },
    },
    tidy: budget.tidy,
    close: transport.close,
  };
}

/** A subject is filled with names people choose; a line break in it would start another header. */
const oneLine = (subject: string): string => subject.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();

/** JSON has no dates; a letter's sentences format them. */
const taggedDates = (params: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(params).map(([name, value]) => [
      name,
      value instanceof Date ? { date: value.toISOString() } : value,
    ]),
  );

const withDates = (params: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(params).map(([name, value]) => [
      name,
      value !== null && typeof value === 'object' && 'date' in value ? new Date(value.date as string) : value,
    ]),
  );
