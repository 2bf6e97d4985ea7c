import { Refusal } from '../refusal.ts';

/** SQLSTATE classes that mean "the server is not there just now" (PostgreSQL, appendix A). */
const unavailableStates = /^(08|57P0[123]|53300|58)/;
const unavailableCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
]);
const unavailableWords =
  /Connection terminated|Query read timeout|timeout exceeded when trying to connect|Client has encountered a connection error/;

const causes = function* (error: unknown): Generator<{ code?: unknown; message?: unknown }> {
  for (
    let at = error, depth = 0;
    at instanceof Error && depth < 5;
    at = at.cause ?? (at as { previous?: unknown }).previous, depth++
  ) {
    yield at as { code?: unknown; message?: unknown };
  }
};

/** Whether the error says that the server could not be reached, as opposed to having refused a statement. */
export function isUnavailable(error: unknown): boolean {
  for (const { code, message } of causes(error)) {
    if (typeof code === 'string' && (unavailableStates.test(code) || unavailableCodes.has(code))) return true;
    if (typeof message === 'string' && unavailableWords.test(message)) return true;
  }
  return false;
}

/** Whether the statement broke a unique index. @param name of the index, when one in particular is meant */
export function isDuplicate(error: unknown, name?: string): boolean {
  for (const at of causes(error)) {
    if (at.code === '23505') return name === undefined || (at as { constraint?: string }).constraint === name;
  }
  return false;
}

/** Runs a statement; a server out of reach becomes one refusal that every door answers with 503. */
export async function storeFault<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Refusal) && isUnavailable(error)) {
      throw new Refusal('store.unavailable', { kind: 'unavailable', retryAfter: 2, cause: error });
    }
    throw error;
  }
}
