import { createHmac } from 'node:crypto';
import { z } from 'zod';
import type { Clock, Log } from '../../platform/index.ts';

export interface OldSystemSettings {
  url: string;
  /** `bearer`: the secret in the header Authorization; `hmac`: a signature of the body made with it. */
  auth: 'bearer' | 'hmac';
  secret: string;
  /** Seconds. */
  timeout: number;
}

/** What it says of somebody whose password was right: claims of OpenID Connect, and custom fields. */
const answer = z.object({
  ok: z.boolean(),
  profile: z
    .object({
      sub: z.string().max(512).optional(),
      email: z.string().max(254).optional(),
      email_verified: z.boolean().optional(),
      name: z.string().max(200).optional(),
      given_name: z.string().max(200).optional(),
      family_name: z.string().max(200).optional(),
      locale: z.string().max(35).optional(),
      attributes: z.record(z.string().max(60), z.json()).optional(),
    })
    .optional(),
});

export type OldProfile = NonNullable<z.output<typeof answer>['profile']>;

/** `no` it is not the password; `away` it could not be asked. */
export type OldAnswer = { said: 'yes'; profile: OldProfile } | { said: 'no' } | { said: 'away' };

const mostBytes = 64 * 1024;
/** Calls under way at once: a rush of guesses here must not become one there. */
const mostAtOnce = 20;
const failuresToOpen = 5;
const openSeconds = 30;
/** How long after a failure it is told that it may be down. */
const awaySeconds = 60;

/**
 * Asks the system that people come from whether a password is right, over HTTP. A system that fails five times running is
 * left alone for half a minute; then one call tries it. Redirects are not followed: they would carry a password elsewhere.
 *
 * The address is the operator's own and stands in the settings; that it lies in a private network is the usual case.
 */
export function createOldSystem(options: {
  settings: OldSystemSettings;
  clock: Clock;
  log: Log;
  fetch?: typeof globalThis.fetch;
}) {
  const { settings, clock, log, fetch = globalThis.fetch } = options;
  let failures = 0;
  let awayAt: number | undefined;
  let closedUntil = 0;
  let probing = false;
  let underWay = 0;

  const headersOf = (body: string): Record<string, string> => {
    if (settings.auth === 'bearer') return { authorization: `Bearer ${settings.secret}` };
    // With the time in it, a call that somebody recorded is of no use later.
    const at = Math.floor(clock.now().getTime() / 1000);
    const mac = createHmac('sha256', settings.secret).update(`${at}.${body}`).digest('hex');
    return { 'cardea-signature': `t=${at},v1=${mac}` };
  };

  const call = async (username: string, password: string): Promise<OldAnswer> => {
    const body = JSON.stringify({ username, password });
    const response = await fetch(settings.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json', ...headersOf(body) },
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(settings.timeout * 1000),
    });
    if ([401, 403, 404].includes(response.status)) {
      await response.body?.cancel();
      return { said: 'no' };
    }
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new Error(`it answered ${response.status}`);
    }
    const read = answer.safeParse(JSON.parse(await textOf(response)));
    if (!read.success) throw new Error('its answer is not as agreed');
    return read.data.ok ? { said: 'yes', profile: read.data.profile ?? {} } : { said: 'no' };
  };

  return {
    /** Whether it could not be asked a moment ago. The same for everybody, whoever it was asked about. */
    isAway: () => awayAt !== undefined && clock.now().getTime() - awayAt < awaySeconds * 1000,

    async ask(username: string, password: string): Promise<OldAnswer> {
      const now = clock.now().getTime();
      const isOpen = failures >= failuresToOpen;
      if (underWay >= mostAtOnce || (isOpen && (now < closedUntil || probing))) {
        awayAt = now;
        return { said: 'away' };
      }
      probing = isOpen;
      underWay += 1;
      try {
        const said = await call(username, password);
        failures = 0;
        awayAt = undefined;
        return said;
      } catch (error) {
        failures += 1;
        awayAt = clock.now().getTime();
        if (failures >= failuresToOpen) closedUntil = clock.now().getTime() + openSeconds * 1000;
        // Its own words might repeat what it was sent.
        const { name, code } = ((error as Error).cause ?? error) as Error & { code?: string };
        log.warn({ failure: code ?? name, failures }, 'the old system did not answer as it should');
        return { said: 'away' };
      } finally {
        underWay -= 1;
        probing = false;
      }
    },
  };
}

export type OldSystem = ReturnType<typeof createOldSystem>;

async function textOf(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += part.byteLength;
    if (size > mostBytes) throw new Error('its answer is too long');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
