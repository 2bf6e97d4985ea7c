import type { Db } from '../platform/db/index.ts';
import { type Clock, Refusal, secondsAfter, type Vault } from '../platform/index.ts';
import { recipientKey } from './address.ts';

/** So many letters in so many seconds. */
export interface LetterBudget {
  points: number;
  window: number;
}

/**
 * How many letters one recipient may be sent: a bucket of `points` that refills evenly, kept as the moment at which it
 * is full again (the generic cell rate algorithm). One statement of the caller's transaction, so that a rollback gives
 * the letter back and two at once cannot both have the last one.
 */
export function createBudget(deps: { db: Db; clock: Clock; vault: Vault; letters: LetterBudget }) {
  const { db, clock, vault } = deps;
  const { points, window } = deps.letters;
  const pause = window / points;

  return {
    /** @throws Refusal `mail.too_many` (limited) */
    async take(address: string): Promise<void> {
      const recipient = vault.mac(recipientKey(address), 'letter_budget');
      const now = clock.now();
      const taken = await db.query(
        `insert into letter_budget (recipient, full_at) values ($1, $2::timestamptz + make_interval(secs => $3))
         on conflict (recipient) do update
           set full_at = greatest(letter_budget.full_at, $2) + make_interval(secs => $3)
           where letter_budget.full_at <= $4
         returning recipient`,
        [recipient, now, pause, secondsAfter(now, window - pause)],
      );
      if (taken.length > 0) return;
      const [row] = await db.query<{ full_at: Date }>('select full_at from letter_budget where recipient = $1', [
        recipient,
      ]);
      const free = new Date(row?.full_at ?? now).getTime() - (window - pause) * 1_000;
      const retryAfter = Math.max(1, Math.ceil((free - now.getTime()) / 1_000));
      throw new Refusal('mail.too_many', { kind: 'limited', retryAfter });
    },

    /** Forgets recipients whose budget is whole again. */
    async tidy(): Promise<void> {
      await db.query('delete from letter_budget where full_at < $1', [clock.now()]);
    },
  };
}
