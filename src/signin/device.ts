import { deviceLife } from '../credentials/index.ts';
import type { Settings } from '../platform/config/index.ts';
import type { AppContext } from '../platform/http/index.ts';

/** The cookie that says this browser has got in before; what it is worth `credentials` decides. */
export function deviceCookie({ issuer }: Pick<Settings, 'issuer'>) {
  const https = issuer.startsWith('https:');
  const name = https ? '__Host-device' : 'device';
  return {
    read: (ctx: AppContext): string | undefined => ctx.cookies.get(name, { signed: false }),
    write(ctx: AppContext, value: string): void {
      ctx.cookies.set(name, value, {
        httpOnly: true,
        sameSite: 'lax',
        secure: https,
        maxAge: deviceLife * 1000,
        signed: false,
        overwrite: true,
      });
    },
  };
}
