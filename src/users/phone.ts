import { Refusal } from '../platform/refusal.ts';

/**
 * A telephone number as `+442079460018` (E.164), however it was typed; the tables of numbers are loaded with the first.
 * @throws Refusal `phone.invalid` (invalid) for what is no number of any country, its code included
 */
export async function phoneNumber(typed: string): Promise<{ number: string; country: string | undefined }> {
  const { default: parse } = await import('libphonenumber-js/min');
  // 00 is how most of the world dials what is written +.
  const text = typed
    .slice(0, 60)
    .normalize('NFKC')
    .trim()
    .replace(/^00(?=[1-9])/, '+');
  const found = /^\+/.test(text) ? parse(text) : undefined;
  if (!found?.isValid() || found.ext) throw new Refusal('phone.invalid', { kind: 'invalid' });
  return { number: found.number, country: found.country };
}
