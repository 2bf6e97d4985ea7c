import { together } from '../together.ts';
import type { Entry } from './heard.ts';

/** What a journal says: its newest entry, and values that were asked for in the same round trip. */
export interface Read {
  /** Names the newest entry; undefined when the journal is gone. */
  head: string | undefined;
  values: (string | undefined)[];
}

/** An entry under the name by which a head points at it. */
export type Told = Entry & { head: string };

/** Where stops are told fast: in Redis when there is one, else in PostgreSQL. */
export interface Journal {
  /** The head, and fleeting values by key: one round trip for all that ask in the same turn of the event loop. */
  read(keys: readonly string[]): Promise<Read>;
  /** What came after `head`, the oldest first; undefined when that cannot be told any more. */
  since(head: string): Promise<Told[] | undefined>;
  /** Its head, after making it anew if it is gone. */
  begin(): Promise<string>;
}

/**
 * One question for all that ask at one time. It is put after everyone in it began, so each sees what was stopped before
 * its own beginning; and one at a time, for smaller ones side by side cost the store more and are answered no sooner.
 */
export const readTogether = (ask: (keys: string[]) => Promise<Read>): Journal['read'] =>
  together(
    async (all: (readonly string[])[]) => {
      const { head, values } = await ask(all.flat());
      let at = 0;
      return all.map(({ length }) => {
        at += length;
        return { head, values: values.slice(at - length, at) };
      });
    },
    { atOnce: 1, most: 500 },
  );
