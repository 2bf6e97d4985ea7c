// What every captcha is to the page and to us.

/** What the page shows. */
export type CaptchaChallenge =
  | {
      provider: 'altcha';
      /** Name of the form field that takes the base64 of the JSON `{ challenge, solution }`. */
      field: string;
      /** altcha's challenge (version 2), to be handed to the solver as JSON. */
      challenge: object;
    }
  | {
      provider: 'turnstile' | 'hcaptcha';
      field: string;
      siteKey: string;
      script: string;
      /** Class of the element that the provider's script fills. */
      className: string;
    };

export interface CaptchaProvider {
  challenge(): Promise<CaptchaChallenge>;
  /** @throws Refusal `captcha.missing`, `captcha.refused` (invalid), `captcha.unavailable` (unavailable) */
  verify(fields: Record<string, unknown>, ip?: string): Promise<void>;
}
