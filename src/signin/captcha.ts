import type { Captcha, CaptchaKind } from '../credentials/index.ts';
import type { Captcha as Shown } from './pages.ts';

/** What the page shows when the rate is suspicious; nothing otherwise. */
export async function captchaOf(captcha: Captcha, kind: CaptchaKind, ip: string): Promise<Shown | undefined> {
  if (!(await captcha.required({ kind, ip }))) return undefined;
  return captcha.challenge();
}
