import { createChallenge, type Payload, verifySolution } from 'altcha-lib';
import { deriveKey } from 'altcha-lib/algorithms/pbkdf2';
import { type Budget, type Clock, type Limits, Refusal, secondsAfter, type Vault } from '../../platform/index.ts';
import type { CaptchaProvider } from './provider.ts';

/** Time to fill in a form, in seconds. */
const life = 20 * 60;

/** One use of each challenge; counted for as long as it is valid. */
const replay: Budget = { name: 'captcha.replay', points: 1, seconds: life + 60, onFault: 'closed' };

/**
 * A proof of work (altcha, version 2): the browser tries some 256 keys of PBKDF2 until one starts with a zero byte, and one
 * derivation checks it. Nothing to see, hear or solve, and no one else is told who registers.
 */
export function createAltcha(options: { vault: Vault; limits: Limits; clock: Clock; cost?: number }): CaptchaProvider {
  const { vault, limits, clock, cost = 5_000 } = options;
  const key = vault.mac('altcha', 'captcha.altcha');
  const field = 'altcha';

  return {
    challenge: async () => ({
      provider: 'altcha',
      field,
      challenge: await createChallenge({
        algorithm: 'PBKDF2/SHA-256',
        cost,
        keyPrefix: '00',
        deriveKey,
        expiresAt: secondsAfter(clock.now(), life),
        hmacSignatureSecret: key,
      }),
    }),

    async verify(fields) {
      if (!fields[field]) throw new Refusal('captcha.missing', { kind: 'invalid' });
      const payload = payloadOf(fields[field]);
      // Ours by its signature, so the cost of checking is the one we chose; the library looks at that first.
      const found = payload && (await verifySolution({ ...payload, deriveKey, hmacSignatureSecret: key }));
      if (!found?.verified) throw refused();
      const { allowed } = await limits.take(replay, payload!.challenge.signature!);
      if (!allowed) throw refused();
    },
  };
}

const refused = () => new Refusal('captcha.refused', { kind: 'invalid' });

function payloadOf(value: unknown): Payload | undefined {
  if (typeof value !== 'string' || value.length > 4_000) return undefined;
  try {
    const payload = JSON.parse(Buffer.from(value, 'base64').toString('utf8')) as Payload;
    const { challenge, solution } = payload;
    const parameters = challenge?.parameters;
    // The library reads these without looking; everything else it checks, and the signature covers the expiry.
    const whole = typeof parameters === 'object' && parameters !== null && typeof challenge.signature === 'string';
    return whole && typeof solution === 'object' ? { challenge, solution } : undefined;
  } catch {
    return undefined;
  }
}
