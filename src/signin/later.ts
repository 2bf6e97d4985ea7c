import { createHash } from 'node:crypto';
import type { AppContext } from '../platform/http/index.ts';
import type { Interaction } from './interaction.ts';
import type { SigninPorts } from './ports.ts';

/** Seconds for which "not now" holds. */
const patience = 60 * 24 * 60 * 60;
/** People sharing one browser who have said so. */
const most = 5;

/**
 * Who has said "not now" to a passkey in this browser. It decides nothing but whether the offer is shown, so it is not
 * sealed; ids are hashed, so that the cookie names nobody.
 */
export function laterCookie({ issuer }: { issuer: string }) {
  const https = issuer.startsWith('https:');
  const name = https ? '__Host-passkey-later' : 'passkey-later';
  const mark = (userId: string) => createHash('sha256').update(`later ${userId}`).digest('base64url').slice(0, 16);
  const marks = (ctx: AppContext) => (ctx.cookies.get(name, { signed: false }) ?? '').slice(0, 200).split('.');
  return {
    has: (ctx: AppContext, userId: string): boolean => marks(ctx).includes(mark(userId)),
    add(ctx: AppContext, userId: string): void {
      const others = marks(ctx).filter((other) => /^[\w-]{16}$/.test(other) && other !== mark(userId));
      ctx.cookies.set(name, [mark(userId), ...others].slice(0, most).join('.'), {
        httpOnly: true,
        sameSite: 'lax',
        secure: https,
        maxAge: patience * 1000,
        signed: false,
        overwrite: true,
      });
    },
  };
}

/**
 * Whether a person whose password was just right is offered a passkey: their browser can make one (the page's script
 * says so), they have none, and they have not said "not now" here.
 */
export function createMayOffer({ settings, passkeys }: Pick<SigninPorts, 'settings' | 'passkeys'>) {
  const later = laterCookie(settings);
  return async ({ ctx, form }: Interaction, userId: string): Promise<boolean> =>
    settings.passkeys.offer && form.passkeys === 'yes' && !later.has(ctx, userId) && !(await passkeys.has(userId));
}
