import type { CodeKind } from '../credentials/index.ts';
import { goTo, readForm } from '../platform/http/index.ts';
import { Refusal } from '../platform/index.ts';
import { codesConfirmPage, codesSetupPage } from './codes-pages.ts';
import { asSelf, whenceOf } from './own.ts';
import { codesPage } from './own-pages.ts';
import type { AccountPorts } from './ports.ts';
import { textOf } from './request.ts';
import type { SignedIn, SignedInGuard } from './signed-in.ts';

const home = '/account/security';

/** Codes by letter or text message: sent once to where they shall come, and set up when that one has come back. */
export function createCodesPages(ports: AccountPorts, guard: SignedInGuard, kind: CodeKind) {
  const { codeFactors, secondFactors, present, settings } = ports;
  const fresh = { fresh: true, back: `${home}/${kind}` };
  const minutes = Math.round(settings.mfa.codeLife / 60);
  const scopeOf = ({ session }: SignedIn) => `account ${session.uid}`;
  const offered = () => {
    if (!codeFactors.offered.includes(kind)) throw new Refusal('page.missing', { kind: 'missing' });
  };
  const mended = (error: unknown): string => {
    if (error instanceof Refusal && /^(phone\.|code\.refused|code\.too_soon)/.test(error.code)) return error.code;
    throw error;
  };

  return {
    show: asSelf(
      guard,
      async (ctx, { user }) => {
        offered();
        const values = { phone_number: user.profile.phone_number };
        present.page(ctx, codesSetupPage({ kind, email: user.email ?? '', values }));
      },
      fresh,
    ),

    send: asSelf(
      guard,
      async (ctx, self) => {
        offered();
        const number = textOf(readForm(ctx).phone_number);
        const { user } = self;
        try {
          const from = whenceOf(ctx, present.locale(ctx));
          await codeFactors.enrolBy({ user, kind, number, scope: scopeOf(self), ...from });
        } catch (error) {
          const code = mended(error);
          if (code !== 'code.too_soon') {
            const problems = [{ field: 'phone_number', code }];
            const page = codesSetupPage({ kind, email: user.email ?? '', values: { phone_number: number }, problems });
            return present.page(ctx, page, { status: 422 });
          }
        }
        const open = await codeFactors.open(scopeOf(self), kind);
        present.page(ctx, codesConfirmPage({ kind, destination: open?.destination ?? '', minutes }));
      },
      fresh,
    ),

    confirm: asSelf(
      guard,
      async (ctx, self) => {
        offered();
        const open = await codeFactors.open(scopeOf(self), kind);
        try {
          const input = { kind, scope: scopeOf(self), code: textOf(readForm(ctx).code) };
          const codes = await secondFactors.enrolCodes(self.user, { ...whenceOf(ctx, present.locale(ctx)), ...input });
          if (codes.length === 0) return goTo(ctx, `${home}?done=codes_added`);
          present.page(ctx, codesPage({ codes }));
        } catch (error) {
          const problem = { field: 'code', code: mended(error) };
          const page = codesConfirmPage({ kind, destination: open?.destination ?? '', minutes, problem });
          present.page(ctx, page, { status: 422 });
        }
      },
      fresh,
    ),

    remove: asSelf(
      guard,
      async (ctx, { user }) => {
        await secondFactors.remove(user, kind, whenceOf(ctx, present.locale(ctx)));
        goTo(ctx, `${home}?done=codes_removed`);
      },
      { fresh: true, back: home },
    ),
  };
}
