import { Undeliverable } from '../events/index.ts';
import type { SmsTransport } from './sms.ts';

export interface HttpSmsSettings {
  /** Where messages are made, as https://api.twilio.com/2010-04-01/Accounts/AC…/Messages.json */
  url: string;
  user: string;
  token: string;
  /** A number or name to send from … */
  from?: string | undefined;
  /** … or the service that picks one. */
  messagingService?: string | undefined;
  timeoutSeconds: number;
}

/**
 * Twilio's numbers for what no later try mends: the number is none, cannot be reached, is a landline, has opted out, or its
 * country is not served (https://www.twilio.com/docs/api/errors).
 */
const forGood = new Set([21211, 21214, 21217, 21408, 21610, 21612, 21614, 21617]);
/** Most of an answer that is read. */
const most = 20_000;

/** Twilio's Messages resource, which others speak as well: a form with `To`, `Body` and `From`, answered by JSON. */
export function createHttpSms(
  settings: HttpSmsSettings,
  fetch: typeof globalThis.fetch = globalThis.fetch,
): SmsTransport {
  const { url, user, token, from, messagingService, timeoutSeconds } = settings;
  const authorization = `Basic ${Buffer.from(`${user}:${token}`).toString('base64')}`;
  return {
    async send({ id, to, text }, signal) {
      const body = new URLSearchParams({
        To: to,
        Body: text,
        ...(messagingService ? { MessagingServiceSid: messagingService } : { From: from ?? '' }),
      });
      const response = await fetch(url, {
        method: 'POST',
        body,
        // Who knows the header does not send twice what was asked for twice.
        headers: { authorization, accept: 'application/json', 'idempotency-key': id },
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutSeconds * 1_000)]),
      });
      const answer = await read(response);
      const code = Number(answer.error_code ?? answer.code ?? 0);
      // The provider's words name the number; they go nowhere.
      if (forGood.has(code)) throw new Undeliverable(`the provider refused the number (${code})`);
      if (!response.ok) throw new Error(`the SMS provider answered ${response.status}${code ? ` (${code})` : ''}`);
      if (answer.status === 'failed' || answer.status === 'undelivered')
        throw new Undeliverable(`the provider could not deliver it${code ? ` (${code})` : ''}`);
    },
  };
}

async function read(response: Response): Promise<{ code?: unknown; error_code?: unknown; status?: unknown }> {
  try {
    if (Number(response.headers.get('content-length') ?? 0) > most) return {};
    const text = await response.text();
    const answer: unknown = text.length > most ? {} : JSON.parse(text);
    return typeof answer === 'object' && answer !== null ? answer : {};
  } catch {
    // Something in between answered.
    return {};
  }
}
