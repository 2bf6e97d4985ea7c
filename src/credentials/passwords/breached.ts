import { createHash } from 'node:crypto';
import type { Log } from '../../platform/index.ts';

export interface BreachSettings {
  /** `https://api.pwnedpasswords.com`, or a copy of it in one's own network. */
  url: string;
  /** How long to wait, in milliseconds. */
  timeout?: number;
}

/**
 * Asks a service of Have I Been Pwned's range API whether a password was ever leaked. It learns the first 20 bits of the
 * SHA-1 and no more, and answers with padding so that not even the length of the answer tells. Whoever cannot be
 * asked does not stand in a person's way: the answer is then no, and a line in the log.
 */
export function createBreaches(options: {
  settings: BreachSettings;
  fetch: typeof globalThis.fetch;
  log: Log;
}): (password: string) => Promise<boolean> {
  const { settings, fetch, log } = options;
  return async (password) => {
    const digest = createHash('sha1').update(password).digest('hex').toUpperCase();
    try {
      const answer = await fetch(`${settings.url.replace(/\/$/, '')}/range/${digest.slice(0, 5)}`, {
        headers: { 'add-padding': 'true', 'user-agent': 'cardea' },
        redirect: 'error',
        signal: AbortSignal.timeout(settings.timeout ?? 1_500),
      });
      if (!answer.ok) throw new Error(`answered ${answer.status}`);
      return (
        (await answer.text())
          .split(/\r?\n/)
          .map((line) => line.split(':'))
          // Padding is entries with a count of nought.
          .some(([suffix, count]) => suffix?.toUpperCase() === digest.slice(5) && Number(count) > 0)
      );
    } catch (error) {
      log.warn({ err: error }, 'breached passwords could not be asked for: the password was let through');
      return false;
    }
  };
}
