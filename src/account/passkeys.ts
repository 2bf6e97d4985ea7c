import { userHandleOf } from '../credentials/index.ts';
import { type AppContext, goTo, readForm } from '../platform/http/index.ts';
import { Refusal } from '../platform/index.ts';
import type { User } from '../users/index.ts';
import { asSelf, type OwnWork, orSay, whenceOf } from './own.ts';
import { passkeysPage } from './passkey-pages.ts';
import type { AccountPorts } from './ports.ts';
import { idOf, textOf } from './request.ts';
import type { SignedIn, SignedInGuard } from './signed-in.ts';

const home = '/account/passkeys';
const said = ['added', 'renamed', 'removed'] as const;

/** A person's passkeys: to see, add, name and remove. All of it asks for a fresh sign-in: each is a way in. */
export function createPasskeyPages(ports: AccountPorts, guard: SignedInGuard) {
  const { passkeys, present } = ports;
  const fresh = { fresh: true, back: home };
  const scopeOf = ({ session }: SignedIn) => `account ${session.uid}`;

  const show = async (ctx: AppContext, user: User, more: object = {}, status = 200) => {
    const own = await passkeys.list(user.id);
    const handle = Buffer.from(userHandleOf(user.id)).toString('base64url');
    // What the page's script tells the password manager: which of these still count, and what the person is called.
    const signals = {
      signalAllAcceptedCredentials: {
        rpId: passkeys.rpId,
        userId: handle,
        allAcceptedCredentialIds: own.map(({ credentialId }) => credentialId),
      },
      signalCurrentUserDetails: {
        rpId: passkeys.rpId,
        userId: handle,
        name: user.email ?? user.id,
        displayName: user.displayName(),
      },
    };
    present.page(ctx, passkeysPage({ passkeys: own, signals, ...more }), { status });
  };

  /** Does it and comes back to the page; a refusal is said there. */
  const change = (done: (typeof said)[number], work: OwnWork) => {
    const doIt: OwnWork = async (ctx, self) => {
      await work(ctx, self);
      goTo(ctx, `${home}?done=${done}`);
    };
    const say = (ctx: AppContext, { user }: SignedIn, { code, details }: Refusal) =>
      show(ctx, user, { problem: { code, params: details as { max?: number } }, refusedId: idOf(ctx) }, 422);
    return asSelf(guard, orSay('passkey', say, doIt), fresh);
  };

  return {
    show: asSelf(
      guard,
      async (ctx, { user }) => {
        const done = said.find((word) => word === [ctx.query.done].flat()[0]);
        await show(ctx, user, done ? { said: done } : {});
      },
      fresh,
    ),

    /** For the script: a session that is no longer fresh is said by 401, and the page, loaded again, asks for one. */
    async options(ctx: AppContext) {
      const self = await guard.look(ctx);
      if (!self || !guard.isFresh(self)) throw new Refusal('account.sign_in_again', { kind: 'unauthenticated' });
      ctx.set('cache-control', 'no-store');
      ctx.body = await passkeys.registrationOptions({ user: self.user, scope: scopeOf(self) });
    },

    add: change('added', async (ctx, self) => {
      await passkeys.register({
        response: readForm(ctx).credential ?? '',
        scope: scopeOf(self),
        userId: self.user.id,
        from: whenceOf(ctx, present.locale(ctx)),
      });
    }),

    rename: change('renamed', (ctx, { user }) =>
      passkeys.rename({
        userId: user.id,
        id: idOf(ctx),
        name: textOf(readForm(ctx).name),
        from: whenceOf(ctx, present.locale(ctx)),
      }),
    ),

    remove: change('removed', (ctx, { user }) =>
      passkeys.remove({ userId: user.id, id: idOf(ctx), from: whenceOf(ctx, present.locale(ctx)) }),
    ),
  };
}
