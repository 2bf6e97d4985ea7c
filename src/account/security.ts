import { goTo, readForm } from '../platform/http/index.ts';
import { Refusal } from '../platform/index.ts';
import { asSelf, doneOf, whenceOf } from './own.ts';
import { codesPage, securityPage, totpPage } from './own-pages.ts';
import type { AccountPorts } from './ports.ts';
import { textOf } from './request.ts';
import type { SignedInGuard } from './signed-in.ts';

const home = '/account/security';
const setup = '/account/security/totp';

/** Password, app, recovery codes. What could lock the owner out, or another in, asks for a fresh sign-in. */
export function createSecurityPages(ports: AccountPorts, guard: SignedInGuard) {
  const { factors, secondFactors, codeFactors, totp, federation, present } = ports;
  const fresh = { fresh: true, back: home };

  return {
    show: asSelf(guard, async (ctx, { user }) => {
      const held = await factors.of(user.id);
      const several = [held.totp, held.email, held.sms, held.passkeys > 0].filter(Boolean).length > 1;
      const mayRemove = several || (await factors.mayGoWithout(user));
      const set = await codeFactors.of(user.id);
      const codes = (['email', 'sms'] as const).flatMap((kind) => {
        const there = set.find((factor) => factor.kind === kind);
        if (there) return [{ kind, since: there.createdAt, usedAt: there.usedAt, destination: there.number }];
        return codeFactors.offered.includes(kind) ? [{ kind }] : [];
      });
      const { password, passkeys, recoveryCodes } = held;
      const { length } = await federation.identities.listOf(user.id);
      const linked = length > 0 || (await federation.buttons()).length > 0 ? length : undefined;
      const model = { password, passkeys, recoveryCodes, codes, linked, mayRemove, totp: await totp.of(user.id) };
      present.page(ctx, securityPage({ ...model, done: doneOf(ctx) }));
    }),

    showSetup: asSelf(
      guard,
      async (ctx, { user }) => {
        if (await totp.of(user.id)) return goTo(ctx, home);
        present.page(ctx, totpPage({ setup: secondFactors.beginTotp(user) }));
      },
      { fresh: true, back: setup },
    ),

    enrol: asSelf(
      guard,
      async (ctx, { user }) => {
        const form = readForm(ctx);
        const token = textOf(form.setup);
        try {
          const input = { ...whenceOf(ctx, present.locale(ctx)), token, code: textOf(form.code) };
          const codes = await secondFactors.enrolTotp(user, input);
          if (codes.length === 0) return goTo(ctx, `${home}?done=totp_added`);
          present.page(ctx, codesPage({ codes }));
        } catch (error) {
          if (!(error instanceof Refusal) || !error.code.startsWith('totp.')) throw error;
          if (error.code === 'totp.enrolled') return goTo(ctx, home);
          const expired = error.code === 'totp.setup_expired';
          present.page(
            ctx,
            totpPage({
              setup: expired ? secondFactors.beginTotp(user) : secondFactors.resumeTotp(user, token),
              problems: [{ field: 'code', code: error.code }],
            }),
            { status: 422 },
          );
        }
      },
      { fresh: true, back: setup },
    ),

    remove: asSelf(
      guard,
      async (ctx, { user }) => {
        await secondFactors.remove(user, 'totp', whenceOf(ctx, present.locale(ctx)));
        goTo(ctx, `${home}?done=totp_removed`);
      },
      fresh,
    ),

    reissue: asSelf(
      guard,
      async (ctx, { user }) => {
        const codes = await secondFactors.reissueRecoveryCodes(user, whenceOf(ctx, present.locale(ctx)));
        present.page(ctx, codesPage({ codes }));
      },
      fresh,
    ),
  };
}
