import type { Db } from '../platform/db/index.ts';
import type { Clock } from '../platform/index.ts';
import { addressKey } from './address.ts';
import type { Transport } from './transport.ts';

/** A letter in development's mailbox. */
export interface MailboxLetter {
  id: string;
  from: string;
  to: string;
  letter: string;
  locale: string;
  subject: string;
  text: string;
  html: string;
  receivedAt: Date;
}

export interface DevelopmentMailbox extends Transport {
  /** Newest first, by when they were written: they may arrive in any order. @param filter.to any spelling of the recipient's address */
  list(filter?: { to?: string | undefined; limit?: number }): Promise<MailboxLetter[]>;
  find(id: string): Promise<MailboxLetter | undefined>;
}

/** Only so many are kept. */
const most = 500;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Development's post: letters stay in a table and are read in the browser. They hold live links in the clear, so it is
 * never built in production.
 */
export function createDevelopmentMailbox(deps: { db: Db; clock: Clock }): DevelopmentMailbox {
  const { db, clock } = deps;
  return {
    async send(letter) {
      await db.query(
        `insert into mailbox_letter
           (id, recipient, recipient_key, sender, letter, locale, subject, text, html, received_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (id) do nothing`,
        [
          letter.id,
          letter.to,
          addressKey(letter.to),
          letter.from,
          letter.letter,
          letter.locale,
          letter.subject,
          letter.text,
          letter.html,
          clock.now(),
        ],
      );
      await db.query(
        `delete from mailbox_letter where received_at <
           (select received_at from mailbox_letter order by received_at desc offset $1 limit 1)`,
        [most - 1],
      );
    },
    async list({ to, limit = 100 } = {}) {
      const rows = await db.query<Record<string, never>>(
        `select * from mailbox_letter where $1::text is null or recipient_key = $1
          order by id desc limit $2`,
        [to === undefined ? null : addressKey(to), limit],
      );
      return rows.map(toLetter);
    },
    async find(id) {
      if (!uuid.test(id)) return undefined;
      const [row] = await db.query<Record<string, never>>('select * from mailbox_letter where id = $1', [id]);
      return row && toLetter(row);
    },
    close: async () => {},
  };
}

const toLetter = (row: Record<string, never>): MailboxLetter => ({
  id: row.id!,
  from: row.sender!,
  to: row.recipient!,
  letter: row.letter!,
  locale: row.locale!,
  subject: row.subject!,
  text: row.text!,
  html: row.html!,
  receivedAt: new Date(row.received_at!),
});
