import { type AppContext, goTo, readForm } from '../platform/http/index.ts';
import { Refusal } from '../platform/index.ts';
import { emailKey, type Invitation } from '../users/index.ts';
import { invitationPage, organisationsPage } from './organisation-pages.ts';
import { asSelf, byPerson, doneOf } from './own.ts';
import type { AccountPorts } from './ports.ts';
import { textOf } from './request.ts';
import type { SignedInGuard } from './signed-in.ts';

const home = '/account/organisations';

/** Where one belongs, and what one is invited to. */
export function createOrganisationPages(ports: AccountPorts, guard: SignedInGuard) {
  const { db, users, organisations, resets, settings, present } = ports;
  const { members, invitations } = organisations;

  const show = asSelf(guard, async (ctx, { user }) => {
    const places = await members.organisationsOf(user.id);
    const open = await invitations.openTo(user);
    present.page(
      ctx,
      organisationsPage({
        places: places.map(({ id, displayName, joinedAt, roles }) => ({
          id,
          name: displayName,
          since: joinedAt,
          roles,
        })),
        invitations: open.map(({ id, organisation, expiresAt }) => ({ id, name: organisation, until: expiresAt })),
        unproved: !user.isEmailVerified(),
        done: doneOf(ctx),
      }),
    );
  });

  const dead = (ctx: AppContext, error: unknown) => {
    if (!(error instanceof Refusal) || error.code !== 'invitation.refused') throw error;
    present.page(ctx, invitationPage({ state: 'expired' }), { status: 400 });
  };

  /** What the letter's link is about, or the page that says it is over. */
  const peek = async (ctx: AppContext, token: string): Promise<Invitation | undefined> => {
    try {
      return await invitations.peek(token);
    } catch (error) {
      dead(ctx, error);
      return undefined;
    }
  };

  /**
   * Nobody but who is invited may register here. The token came by a letter to that address, so it proves the address;
   * an account that is there already is signed in to, and the page does not tell which it was before.
   */
  const makeAccount = async (ctx: AppContext, invitation: Invitation): Promise<boolean> => {
    const locale = present.locale(ctx);
    return db.transact(async () => {
      await db.lock(`invitation:${emailKey(invitation.email)}`);
      if (await users.byEmail(invitation.email)) return false;
      const by = { actor: { kind: 'anonymous' as const }, ip: ctx.ip, reason: 'invitation' };
      const user = await users.create({ email: invitation.email, state: 'Created', locale }, by);
      const proved = { id: user.id, email: invitation.email, isEmailVerified: () => true };
      await invitations.accept(invitation.id, proved, by);
      await resets.invite({ userId: user.id, locale });
      return true;
    });
  };

  return {
    show,

    /** The letter's link: shows what it would do and does nothing. */
    async showInvitation(ctx: AppContext) {
      const token = textOf(ctx.query.token);
      const invitation = await peek(ctx, token);
      if (!invitation) return;
      const known = await guard.look(ctx);
      const isTheirs = known?.user.email != null && emailKey(known.user.email) === emailKey(invitation.email);
      const shown = { token, id: invitation.id, name: invitation.organisation, address: invitation.email };
      const state = known ? (isTheirs ? 'mine' : 'other') : 'nobody';
      const join = settings.registration.mode !== 'closed';
      present.page(ctx, invitationPage({ ...shown, state, join, account: known?.user.email ?? undefined }));
    },

    /** To sign in with the address that was invited, and see the invitation there. */
    async signIn(ctx: AppContext) {
      const invitation = await peek(ctx, textOf(readForm(ctx).token));
      if (invitation) guard.send(ctx, { back: home, hint: invitation.email });
    },

    async join(ctx: AppContext) {
      const invitation = await peek(ctx, textOf(readForm(ctx).token));
      if (!invitation) return;
      const { mode } = settings.registration;
      if (mode === 'open') return guard.send(ctx, { back: home, hint: invitation.email, register: true });
      if (mode === 'closed') return guard.send(ctx, { back: home, hint: invitation.email });
      try {
        if (!(await makeAccount(ctx, invitation))) return guard.send(ctx, { back: home, hint: invitation.email });
      } catch (error) {
        return dead(ctx, error);
      }
      const { organisation: name, email: address } = invitation;
      present.page(ctx, invitationPage({ state: 'sent', name, address }));
    },

    accept: asSelf(
      guard,
      async (ctx, self) => {
        try {
          await invitations.accept(textOf(readForm(ctx).invitation), self.user, byPerson(ctx, self));
          goTo(ctx, `${home}?done=organisation_joined`);
        } catch (error) {
          dead(ctx, error);
        }
      },
      { back: home },
    ),

    decline: asSelf(
      guard,
      async (ctx, self) => {
        await invitations.decline(textOf(readForm(ctx).invitation), self.user, byPerson(ctx, self));
        goTo(ctx, home);
      },
      { back: home },
    ),

    leave: asSelf(
      guard,
      async (ctx, self) => {
        await members.remove(textOf(readForm(ctx).organisation), self.user.id, byPerson(ctx, self));
        goTo(ctx, `${home}?done=organisation_left`);
      },
      { back: home },
    ),
  };
}
