import { AsyncLocalStorage } from 'node:async_hooks';
import { Refusal } from './refusal.ts';

interface Waiting<Asked, Answer> {
  asked: Asked;
  answer: (answer: Answer) => void;
  fail: (error: unknown) => void;
}

/**
 * Asks for many in one question: whoever asks in one turn of the event loop, or while as many questions as may be are under
 * way, shares one. The busier it is, the more share; and nobody gets an older answer than they would have by themselves. It
 * is asked on behalf of none of them: in nobody's transaction.
 * @param ask answers in the order of what is asked; where it throws, it does so for all that share
 * @param options.atOnce questions under way; one that is held up does not hold up the rest
 * @param options.most that share a question
 */
export function together<Asked, Answer>(
  ask: (all: Asked[]) => Promise<Answer[]>,
  { atOnce = 4, most = 200 }: { atOnce?: number; most?: number } = {},
): (one: Asked) => Promise<Answer> {
  const onNobodysBehalf = AsyncLocalStorage.snapshot();
  let waiting: Waiting<Asked, Answer>[] = [];
  let underWay = 0;
  let isDue = false;

  const send = async (): Promise<void> => {
    isDue = false;
    if (waiting.length === 0 || underWay >= atOnce) return;
    const all = waiting.slice(0, most);
    waiting = waiting.slice(most);
    underWay++;
    if (waiting.length > 0) void send();
    try {
      const answers = await ask(all.map(({ asked }) => asked));
      for (const [index, { answer }] of all.entries()) answer(answers[index]!);
    } catch (error) {
      // What is out of reach for these is so for all who wait.
      const others = error instanceof Refusal ? waiting.splice(0) : [];
      for (const { fail } of [...all, ...others]) fail(error);
    }
    underWay--;
    void send();
  };

  return (asked) =>
    new Promise((answer, fail) => {
      waiting.push({ asked, answer, fail });
      if (isDue) return;
      isDue = true;
      setImmediate(() => onNobodysBehalf(send));
    });
}
