import { AsyncLocalStorage } from 'node:async_hooks';
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

interface Asked {
  keys: readonly string[];
  answer: (read: Read) => void;
  fail: (error: unknown) => void;
}

/** More keys than this go into another question. */
const most = 500;

/**
 * Collects what is asked for in one turn of the event loop, or while the question before is under way, into one question:
 * the busier it is, the more share one. It is asked after everyone in it began, so each sees what was stopped before its
 * own beginning.
 */
export function readTogether(ask: (keys: string[]) => Promise<Read>): Journal['read'] {
  // Not in the transaction of whoever happens to be the first to ask.
  const outside = AsyncLocalStorage.snapshot();
  let waiting: Asked[] = [];
  let size = 0;
  let underWay = 0;

  const send = async () => {
    if (waiting.length === 0) return;
    const asked = waiting;
    waiting = [];
    size = 0;
    underWay++;
    try {
      const { head, values } = await ask(asked.flatMap(({ keys }) => keys));
      let at = 0;
      for (const { keys, answer } of asked) {
        answer({ head, values: values.slice(at, at + keys.length) });
        at += keys.length;
      }
    } catch (error) {
      for (const { fail } of asked) fail(error);
    } finally {
      underWay--;
      void send();
    }
  };

  return (keys) =>
    new Promise((answer, fail) => {
      if (waiting.length === 0 && underWay === 0) setImmediate(() => outside(send));
      waiting.push({ keys, answer, fail });
      size += keys.length;
      if (size >= most) void outside(send);
    });
}
