import type { Outcome } from '../federation/index.ts';
import { type AppContext, goTo, readForm } from '../platform/http/index.ts';
import { Refusal } from '../platform/index.ts';
import { linkedPage } from './linked-page.ts';
import { asSelf, doneOf, type OwnWork, orSay, whenceOf } from './own.ts';
import type { AccountPorts } from './ports.ts';
import { idOf, textOf } from './request.ts';
import type { SignedIn, SignedInGuard } from './signed-in.ts';

const home = '/account/linked';

/**
 * Accounts elsewhere that lead into this one: to see, connect and disconnect. All of it asks for a fresh sign-in: each is
 * a way in. Who comes back from a provider is linked only in the session that was sent there, to the account it had then.
 */
export function createLinkedPages(ports: AccountPorts, guard: SignedInGuard) {
  const { federation, present } = ports;
  const fresh = { fresh: true, back: home };
  const purposeOf = ({ user, session }: SignedIn) =>
    ({ kind: 'link', session: session.uid, accountId: user.id }) as const;

  const show = async (ctx: AppContext, { user }: SignedIn, problem?: Refusal) => {
    const linked = await federation.identities.listOf(user.id);
    const known = await federation.providers.all();
    const offered = await federation.buttons();
    present.page(
      ctx,
      linkedPage({
        linked: linked.map(({ id, providerId, label, linkedAt, lastUsedAt }) => {
          const provider = known.find((each) => each.id === providerId);
          return {
            id,
            name: provider?.name ?? providerId,
            enabled: provider?.enabled === true,
            label,
            linkedAt,
            lastUsedAt,
          };
        }),
        providers: offered.filter(({ id }) => !linked.some(({ providerId }) => providerId === id)),
        done: problem ? undefined : doneOf(ctx),
        ...(problem ? { problem: { code: problem.code, params: { provider: '', ...problem.details } } } : {}),
      }),
      problem ? { status: problem.kind === 'unavailable' ? 503 : 422 } : {},
    );
  };

  /** A refusal of the provider or of the rules is said on the page. */
  const change = (work: OwnWork, options?: typeof fresh) => asSelf(guard, orSay('federation', show, work), options);

  const link = async (ctx: AppContext, { user }: SignedIn, outcome: Outcome) => {
    const { provider, arrival } = outcome;
    const from = whenceOf(ctx, present.locale(ctx));
    const { identityId } = await federation.link({ user, provider, arrival, from, how: 'account' });
    await federation.cameBy({ user, identityId, provider, arrival, from });
  };

  return {
    show: asSelf(guard, (ctx, self) => show(ctx, self), fresh),

    connect: change(async (ctx, self) => {
      const wishes = { prompt: 'select_account', uiLocales: present.locale(ctx) };
      goTo(ctx, (await federation.begin(textOf(readForm(ctx).provider), purposeOf(self), wishes)).href);
    }, fresh),

    /** Back from the provider: a GET, and yet it links, since only who was sent off from here has this state, once. */
    back: change(async (ctx, self) => {
      const outcome = await federation.arrive(textOf(ctx.query.state), purposeOf(self));
      if (!outcome) throw new Refusal('federation.over', { kind: 'invalid' });
      await link(ctx, self, outcome);
      goTo(ctx, `${home}?done=linked`);
    }),

    remove: change(async (ctx, { user, session }) => {
      await federation.unlink(user, idOf(ctx), whenceOf(ctx, present.locale(ctx)), session.uid);
      goTo(ctx, `${home}?done=unlinked`);
    }, fresh),
  };
}
