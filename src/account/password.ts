import { type AppContext, readForm } from '../platform/http/index.ts';
import { Refusal } from '../platform/index.ts';
import { passwordChangedPage, passwordPage } from './pages.ts';
import type { AccountPorts } from './ports.ts';
import { textOf } from './request.ts';
import type { SignedInGuard } from './signed-in.ts';

/** Which field a refusal is about. */
const fieldOf = (code: string): string => (code === 'password.current_wrong' ? 'current' : 'password');

/**
 * Change of password. The present one is asked for in any case, so it also works for somebody who is not signed in
 * here; a wrong one counts like at the sign-in, and an unknown address meets the same words.
 */
export function createPasswordPages(
  { provider, users, attempts, passwords, passwordChanges, policy, present, settings }: AccountPorts,
  guard: SignedInGuard,
) {
  const https = settings.issuer.startsWith('https:');
  const { minimum: minLength, maximum } = policy.lengths();

  const signedIn = async (ctx: AppContext) => {
    const session = await provider().Session.get(ctx as never);
    const user = session.accountId ? await users.byId(session.accountId) : undefined;
    return user && { user, session: session.uid };
  };

  return {
    async show(ctx: AppContext) {
      const known = await signedIn(ctx);
      present.page(ctx, passwordPage({ minLength, identifier: known?.user.email ?? undefined }));
    },

    async change(ctx: AppContext) {
      const form = readForm(ctx);
      const known = await signedIn(ctx);
      const email = textOf(form.email);
      const refused = (code: string, status = 422) =>
        present.page(
          ctx,
          passwordPage({
            minLength,
            identifier: known?.user.email ?? undefined,
            values: { email },
            problems: [{ field: fieldOf(code), code, params: { min: minLength, max: maximum } }],
          }),
          { status },
        );
      const device = ctx.cookies.get(https ? '__Host-device' : 'device', { signed: false });
      const user = known?.user ?? (await users.byEmail(email));
      if (!user || user.isStopped() || user.isUnverified()) {
        // The attempt costs a stranger's address what it costs a known one.
        const reservation = await attempts.before({ identifier: email, ip: ctx.ip, device });
        if (!reservation.allowed)
          throw new Refusal('limit.exceeded', { kind: 'limited', retryAfter: reservation.retryAfter });
        await passwords.check(undefined, (form.current ?? '').slice(0, 1024));
        await attempts.failed(reservation);
        return refused('password.current_wrong');
      }
      try {
        await passwordChanges.change({
          userId: user.id,
          current: (form.current ?? '').slice(0, 1024),
          password: (form.password ?? '').slice(0, 1024),
          ...(known ? { session: known.session } : {}),
          device,
          ip: ctx.ip,
          locale: present.locale(ctx),
        });
        present.page(ctx, passwordChangedPage());
      } catch (error) {
        if (error instanceof Refusal && error.code === 'password.second_factor') {
          return void (await guard.demand(ctx));
        }
        if (!(error instanceof Refusal) || !error.code.startsWith('password.')) throw error;
        refused(error.code);
      }
    },
  };
}
