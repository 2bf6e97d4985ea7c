import { Refusal } from '../platform/index.ts';
import { AnswerRefused, ProviderSaidNo } from './upstreams/upstream.ts';

const network = new Set(['TimeoutError', 'AbortError', 'ArcticFetchError']);

/** Whether the provider did not answer, as opposed to an answer we do not take. Libraries wrap what they met. */
export function isUnreachable(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > 5) return false;
  if (error instanceof AnswerRefused || error instanceof ProviderSaidNo) return false;
  const { name, message, code, status, cause } = error as {
    name?: string;
    message?: string;
    code?: unknown;
    status?: unknown;
    cause?: unknown;
  };
  if (network.has(name ?? '') || (typeof status === 'number' && status >= 500)) return true;
  if (error instanceof Refusal) return error.code === 'outbound.address_refused';
  if (error instanceof TypeError && /fetch failed|answered 5\d\d/.test(message ?? '')) return true;
  if (typeof code === 'string' && /^(ECONN|ENOTFOUND|EAI_|ETIMEDOUT|UND_ERR|ERR_JWKS_TIMEOUT|OAUTH_TIMEOUT)/.test(code))
    return true;
  return isUnreachable(cause, depth + 1);
}

/** What a log may say of it: what the provider wrote may hold addresses and tokens. */
export function shortly(error: unknown): { error: string; fault?: string; said?: string } {
  const { name, code, message, error: said } = error as Record<'name' | 'code' | 'message' | 'error', unknown>;
  return {
    error: String(error instanceof AnswerRefused ? message : (name ?? 'Error')),
    ...(typeof code === 'string' ? { fault: code } : {}),
    // An error code of OAuth, such as invalid_client.
    ...(typeof said === 'string' && /^[\w-]{1,60}$/.test(said) ? { said } : {}),
  };
}

/** Turns what went wrong at the provider into an expected "no". */
export function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof ProviderSaidNo) {
    const code = error.code === 'access_denied' || error.code === 'user_cancelled_authorize' ? 'denied' : 'said_no';
    return new Refusal(`federation.${code}`, { kind: 'forbidden', cause: error });
  }
  return new Refusal('federation.answer_refused', { kind: 'invalid', cause: error });
}
