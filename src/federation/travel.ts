import { Refusal, randomToken } from '../platform/index.ts';
import type { Sessions } from '../sessions/index.ts';
import type { Departure } from './upstreams/upstream.ts';

/** For whom somebody was sent to a provider: a sign-in of one browser, or a session that links. */
export type Purpose = { kind: 'signin'; uid: string } | { kind: 'link'; session: string; accountId: string };

export interface Journey {
  providerId: string;
  purpose: Purpose;
  departure: Departure;
}

const departed = 'federation-departed';
const answered = 'federation-answered';
/** How long somebody may take at the provider, in seconds. */
const patience = 15 * 60;

const isSame = (a: Purpose, b: Purpose): boolean => JSON.stringify(a) === JSON.stringify(b);

/**
 * Who has been sent to which provider and what came back. Three steps, since the provider's answer arrives where the
 * cookie of the sign-in is not sent, and sometimes as a post from another site, with no cookie at all:
 *
 * ```
 *  depart ── state ──▶ provider ── answer ──▶ /federation/:provider/callback  (kept; nothing is believed yet)
 *                                                 │ 303, same site, by GET
 *                                                 ▼
 *                          the sign-in's or the account's own address, with that browser's own cookie ──▶ arrive, once
 * ```
 */
export function createTravel({ fleeting }: { fleeting: Sessions['fleeting'] }) {
  return {
    /** @param more what the provider is told */
    async depart(
      providerId: string,
      purpose: Purpose,
      more: Pick<Departure, 'redirectUri'> & Partial<Departure>,
    ): Promise<Departure> {
      const departure = { ...more, state: randomToken(), nonce: randomToken(), verifier: randomToken() };
      await fleeting.put(departed, departure.state, { providerId, purpose, departure } satisfies Journey, patience);
      return departure;
    },

    /**
     * Keeps an answer for the browser that waits for it.
     * @returns for whom it is; undefined when nobody was sent there with this state
     * @throws Refusal `federation.mixed_up` (invalid): they were sent to another provider
     */
    async answer(providerId: string, parameters: URLSearchParams): Promise<Purpose | undefined> {
      const state = parameters.get('state');
      const journey = state ? await fleeting.get<Journey>(departed, state) : undefined;
      if (!journey) return undefined;
      // A provider that is not honest, or was made a fool of, hands on what is another's (RFC 9700, section 4.4).
      if (journey.providerId !== providerId) throw new Refusal('federation.mixed_up', { kind: 'invalid' });
      await fleeting.put(answered, state!, parameters.toString(), patience);
      return journey.purpose;
    },

    /**
     * Takes up the answer in the browser it is for: once, whoever else tries at the same time.
     * @returns undefined when there is none, or it is for another browser, whose turn is not spoiled by that
     */
    async arrive(state: string, purpose: Purpose): Promise<{ journey: Journey; answer: URLSearchParams } | undefined> {
      const waiting = await fleeting.get<Journey>(departed, state);
      if (!waiting || !isSame(waiting.purpose, purpose)) return undefined;
      const answer = await fleeting.get<string>(answered, state);
      if (answer === undefined) return undefined;
      const journey = await fleeting.take<Journey>(departed, state);
      if (!journey) return undefined;
      await fleeting.remove(answered, state);
      return { journey, answer: new URLSearchParams(answer) };
    },
  };
}
