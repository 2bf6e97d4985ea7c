import { deviceLife, letterCookieLife, letterCookieName } from '../credentials/index.ts';
import type { Settings } from '../platform/config/index.ts';
import type { AppContext } from '../platform/http/index.ts';

/** The cookie that says this browser has got in before; what it is worth `credentials` decides. */
export const deviceCookie = (settings: Pick<Settings, 'issuer'>) => ownCookie(settings, 'device', deviceLife);

/** The cookie by which the link of a letter knows the browser that asked for it. */
export const letterCookie = (settings: Pick<Settings, 'issuer'>) =>
  cookie(settings, letterCookieName(settings.issuer), letterCookieLife);

/** The cookie of a browser in which the second factor is not asked for. */
export const rememberedCookie = (settings: Pick<Settings, 'issuer' | 'mfa'>) =>
  ownCookie(settings, 'remembered', settings.mfa.rememberDevice);

const ownCookie = (settings: Pick<Settings, 'issuer'>, plain: string, seconds: number) =>
  cookie(settings, settings.issuer.startsWith('https:') ? `__Host-${plain}` : plain, seconds);

function cookie({ issuer }: Pick<Settings, 'issuer'>, name: string, seconds: number) {
  const https = issuer.startsWith('https:');
  return {
    read: (ctx: AppContext): string | undefined => ctx.cookies.get(name, { signed: false }),
    write(ctx: AppContext, value: string): void {
      ctx.cookies.set(name, value, {
        httpOnly: true,
        sameSite: 'lax',
        secure: https,
        maxAge: seconds * 1000,
        signed: false,
        overwrite: true,
      });
    },
  };
}
