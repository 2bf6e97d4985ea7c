/** How long a scrape waits for what is out of reach: it must answer just then. */
const patienceMilliseconds = 1_500;

/**
 * Asks at most every `seconds`, however often it is scraped, and waits for no answer longer than a moment. Nothing is asked
 * while nobody scrapes.
 * @returns what was found last; undefined when it could not be had
 */
export function sampled<T>(seconds: number, take: () => Promise<T>): () => Promise<T | undefined> {
  let last: { at: number; found: Promise<T | undefined> } | undefined;
  return () => {
    const now = performance.now();
    if (!last || now - last.at >= seconds * 1000) last = { at: now, found: inTime(take()) };
    return last.found;
  };
}

export interface Probe {
  up: 0 | 1;
  /** How long the answer took; undefined when there was none. */
  seconds: number | undefined;
}

/** Whether somebody answers, and how soon. */
export async function probe(ask: () => Promise<unknown>): Promise<Probe> {
  const started = performance.now();
  const answered = await inTime(ask().then(() => true));
  return answered ? { up: 1, seconds: (performance.now() - started) / 1000 } : { up: 0, seconds: undefined };
}

async function inTime<T>(work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, patienceMilliseconds, undefined).unref();
  });
  try {
    return await Promise.race([work, late]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
