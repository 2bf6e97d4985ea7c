import { Secret, TOTP } from 'otpauth';
import type { Cardea } from './cardea.ts';

/** The secret as it stands on the page that shows it. */
export function secretOn(html: string): string {
  const shown = /class="secret-text"[^>]*>([A-Z2-7 ]+)</.exec(html)?.[1];
  if (!shown) throw new Error('no secret is on the page');
  return shown.replaceAll(' ', '');
}

/** What the app shows now. */
export const codeNow = (secret: string): string => new TOTP({ secret: Secret.fromBase32(secret) }).generate();

/** As if half a minute had passed since the last code was accepted: the next one is accepted again. */
export const nextStep = (cardea: Cardea) => cardea.sql('update totp set last_step = last_step - 5');

export const codesOn = (html: string): string[] =>
  [...html.matchAll(/<code>([a-z0-9]{5}-[a-z0-9]{5})<\/code>/g)].map(([, code]) => code!);
