import type { Captcha, CaptchaChallenge, CaptchaKind } from '../credentials/index.ts';

/** What the page shows when the rate is suspicious; nothing otherwise. */
export async function captchaOf(
  captcha: Captcha,
  kind: CaptchaKind,
  ip: string,
): Promise<CaptchaChallenge | undefined> {
  if (!(await captcha.required({ kind, ip }))) return undefined;
  return captcha.challenge();
}
