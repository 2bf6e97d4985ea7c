import type { Db } from '../../platform/db/index.ts';
import { type Clock, secondsAfter } from '../../platform/index.ts';
import { type UserState, userStates } from '../states.ts';

export interface UserFigures {
  /** When it was counted. */
  at: Date;
  states: Record<UserState, number>;
  /** By days of UTC, oldest first, today included; days on which nothing happened too. */
  days: { day: string; signUps: number; signIns: number }[];
  /** People who signed in today or within the days before it. */
  active: { day: number; week: number; month: number };
  /** How much people have told of themselves, of {@link completionOf} things; without the deleted. */
  completion: { average: number; by: number[] };
}

export const completionOf = 8;

interface Row {
  measure: 'state' | 'sign_up' | 'sign_in' | 'last_sign_in' | 'completion';
  key: string;
  people: string;
}

const daySeconds = 24 * 60 * 60;
const dayOf = (date: Date) => date.toISOString().slice(0, 10);

/**
 * How many people there are and what they do, from counts that triggers keep (migration 0016): as quick for a million as
 * for ten. Each statement that changes accounts writes what it changed; {@link fold} adds that up.
 */
export function createUserTally({ db, clock }: { db: Db; clock: Clock }) {
  return {
    /** @param days how many days back, today included */
    async figures(days: number): Promise<UserFigures> {
      const now = clock.now();
      const first = dayOf(secondsAfter(now, -(days - 1) * daySeconds));
      const month = dayOf(secondsAfter(now, -29 * daySeconds));
      // `sum` reads both in one snapshot: what is being folded is counted once.
      const rows = await db.late<Row>(
        `select measure, key, sum(people) as people from (
           select measure, key, people from user_tally
             where measure in ('state', 'completion') or key >= least($1::text, $2::text)
           union all select measure, key, people from user_tally_change
         ) changes group by measure, key`,
        [first, month],
      );
      const of = (measure: Row['measure']) =>
        new Map(rows.filter((row) => row.measure === measure).map(({ key, people }) => [key, Number(people)]));
      const [states, signUps, signIns, last, filled] = (
        ['state', 'sign_up', 'sign_in', 'last_sign_in', 'completion'] as const
      ).map(of) as [
        Map<string, number>,
        Map<string, number>,
        Map<string, number>,
        Map<string, number>,
        Map<string, number>,
      ];
      const since = (back: number) => {
        const from = dayOf(secondsAfter(now, -back * daySeconds));
        return [...last].reduce((sum, [day, people]) => (day >= from ? sum + people : sum), 0);
      };
      const by = Array.from({ length: completionOf + 1 }, (_, score) => filled.get(String(score)) ?? 0);
      const people = by.reduce((sum, count) => sum + count, 0);
      const scores = by.reduce((sum, count, score) => sum + count * score, 0);
      return {
        at: now,
        states: Object.fromEntries(userStates.map((state) => [state, states.get(state) ?? 0])) as UserFigures['states'],
        days: Array.from({ length: days }, (_, index) => {
          const day = dayOf(secondsAfter(now, (index - days + 1) * daySeconds));
          return { day, signUps: signUps.get(day) ?? 0, signIns: signIns.get(day) ?? 0 };
        }),
        active: { day: since(0), week: since(6), month: since(29) },
        completion: { average: people === 0 ? 0 : scores / people / completionOf, by },
      };
    },

    /** Adds up what was noted since the last time; for a job, every minute or so. */
    async fold(): Promise<void> {
      await db.query(
        `with noted as (delete from user_tally_change returning measure, key, people)
         insert into user_tally as t (measure, key, people)
           select measure, key, sum(people) from noted group by measure, key
         on conflict (measure, key) do update set people = t.people + excluded.people`,
      );
    },
  };
}

export type UserTally = ReturnType<typeof createUserTally>;
